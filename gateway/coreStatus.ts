import type { ClockCheck } from '../evse/clock/clockCheck.ts'
import type { Delivery } from '../evse/delivery/delivery.ts'
import type { MeterBook } from '../evse/metering/meterBook.ts'
import type { DescribesEvses, ReportsStatus, SourceProblem } from './sourceStatus.ts'

/** Delivery's part of the status. */
export function deliveryStatus(delivery: Delivery, now: () => number): ReportsStatus {
  return {
    status: () => {
      const problems = delivery.problems()
      const answers = [...delivery.lastAnswers().values()].filter((atMs) => atMs !== undefined)
      const isDown = problems.some(({ evse }) => evse === undefined)
      return {
        name: 'delivery',
        state: isDown ? 'DOWN' : problems.length > 0 ? 'DEGRADED' : 'UP',
        figures: {
          lanes: delivery.lastAnswers().size,
          lastAnswer: answers.length === 0 ? 'none' : `${Math.round((now() - Math.max(...answers)) / 1_000)} s ago`,
        },
        problems: [...problems],
      }
    },
  }
}

/** The clock's part of the status. */
export function clockStatus(clock: ClockCheck): ReportsStatus {
  return {
    status: () => {
      const { trusted, offsetMs, uncheckedMs } = clock.figures()
      const problems = clock.problems()
      return {
        name: 'clock',
        state: !trusted ? 'DOWN' : problems.length > 0 ? 'DEGRADED' : 'UP',
        figures: {
          offset: offsetMs === undefined ? 'unknown' : `${offsetMs.toFixed(1)} ms`,
          checked: uncheckedMs === undefined ? 'never' : `${Math.round(uncheckedMs / 1_000)} s ago`,
        },
        problems: [...problems],
      }
    },
  }
}

/** Metering's part of the status, EVSE by EVSE. */
export function meteringStatus(book: MeterBook): ReportsStatus & DescribesEvses {
  return {
    status: () => {
      const all = book.statuses()
      const problems: SourceProblem[] = all.flatMap(({ evse, problems: own }) =>
        own.map(({ code, message }) => ({ code, message, evse })),
      )
      return {
        name: 'metering',
        state: problems.length > 0 ? 'DEGRADED' : 'UP',
        figures: {
          meters: all.length,
          transactions: all.filter(({ transaction }) => transaction !== undefined).length,
          pendingWh: all.reduce((sum, { pendingWh }) => sum + pendingWh, 0),
          withheldWh: all.reduce((sum, { withheldWh }) => sum + withheldWh, 0),
          heldEvents: all.reduce((sum, { heldEvents }) => sum + heldEvents, 0),
        },
        problems,
      }
    },
    describeEvse: (name) => {
      const status = book.status(name)
      if (status === undefined) return undefined
      const { transaction, pendingWh, withheldWh, waitsFor } = status
      return {
        contract: transaction === undefined ? '' : (transaction.contract ?? 'unknown'),
        pendingWh,
        ...(withheldWh > 0 && { withheldWh }),
        ...(waitsFor !== undefined && { waitsFor }),
      }
    },
  }
}
