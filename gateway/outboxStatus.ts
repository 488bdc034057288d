import type { LevelOutbox } from '../evse/outbox/levelOutbox.ts'
import type { Directory } from './fleet/directory.ts'
import type { DescribesEvses, ReportsStatus, SourceProblem, SourceStatus } from './sourceStatus.ts'

/** From here on an operator should look: there is time left to mend the sequencer's side. */
const FILLING_SHARE = 0.8

/** The outbox's part of the status: what waits, and how much room is left. */
export class OutboxStatus implements ReportsStatus, DescribesEvses {
  readonly #outbox: LevelOutbox
  readonly #directory: Directory
  /** By lane and slot, as of the last look: a fleet of thousands is not searched for each of its EVSEs. */
  #waitingRows: ReadonlyMap<string, number> = new Map()

  constructor(outbox: LevelOutbox, directory: Directory) {
    this.#outbox = outbox
    this.#directory = directory
  }

  status(): SourceStatus {
    const { waitingRows, answeredRows, bytes, waitingBytes, maxBytes, oldestWaitingSeconds } = this.#outbox.figures()
    this.#waitingRows = new Map(this.#outbox.waiting().map(({ lane, evse, rows }) => [`${lane}/${evse}`, rows]))
    const share = waitingBytes / maxBytes
    const problems: SourceProblem[] = []
    if (share >= FILLING_SHARE) {
      const message = `${waitingRows} records without a receipt take ${Math.round(share * 100)} % of the room there is`
      problems.push({ code: 'OUTBOX_FILLING', message })
    }
    return {
      name: 'outbox',
      state: problems.length === 0 ? 'UP' : 'DEGRADED',
      figures: {
        waiting: waitingRows,
        oldestWaiting: `${Math.round(oldestWaitingSeconds)} s`,
        kept: answeredRows,
        megabytes: bytes / 1e6,
      },
      problems,
    }
  }

  describeEvse(name: string): Readonly<Record<string, number>> | undefined {
    const evse = this.#directory.evse(name)
    if (evse === undefined) return undefined
    return { waiting: this.#waitingRows.get(`${evse.lane}/${evse.slot}`) ?? 0 }
  }
}
