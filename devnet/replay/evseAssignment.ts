import type { AlignedSession } from './calendar.ts'

/**
 * Gives every session a charger such that no charger has two cars at once: the file names none. A car takes the lowest-numbered
 * charger that is free when it arrives, which needs as many chargers as cars ever stay at the same time, and no more.
 * `sessions` in the order of arrival. Result: charger of each.
 */
export function assignEvses(sessions: readonly AlignedSession[]): number[] {
  const freeFromSeconds: number[] = []
  return sessions.map((session) => {
    const free = freeFromSeconds.findIndex((from) => from <= session.startSeconds)
    const evse = free === -1 ? freeFromSeconds.length : free
    freeFromSeconds[evse] = session.endSeconds
    return evse
  })
}
