import { type ChargingSession, civilSeconds } from './sessionFile.ts'

/** A session on the calendar of the price year. Seconds are those of the shared wall clock, read as if it were UTC. */
export interface AlignedSession {
  readonly startSeconds: number
  readonly endSeconds: number
  readonly takenWh: number
  readonly lineNumber: number
}

/**
 * The rule that brings sessions of any year onto the prices of one: **month, day and time of day stay, the year becomes the price
 * year's, and the stay keeps its length by the wall clock**. 29 February falls on 28 February in a year that has none. Both files
 * show the same place's clock; neither knows daylight saving, so the clock is taken as running evenly. Weekdays are not kept: a
 * price belongs to a date's weather and load, and so does a car's stay.
 * In the order of arrival; the file's order where two arrive at once.
 */
export function alignSessions(sessions: readonly ChargingSession[], year: number): AlignedSession[] {
  return sessions
    .map((session) => {
      const { month, day, secondOfDay } = session.start
      const exists = new Date(Date.UTC(year, month - 1, day)).getUTCMonth() === month - 1
      const startSeconds = civilSeconds({ year, month, day: exists ? day : 28, secondOfDay })
      const staySeconds = civilSeconds(session.end) - civilSeconds(session.start)
      return {
        startSeconds,
        endSeconds: startSeconds + staySeconds,
        takenWh: session.takenWh,
        lineNumber: session.lineNumber,
      }
    })
    .sort((a, b) => a.startSeconds - b.startSeconds || a.lineNumber - b.lineNumber)
}
