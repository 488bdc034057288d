import type { Address, Hex } from 'viem'
import { type BatchHeader, hashDataWords, hashHeader } from '../../protocol/batchHeader.ts'
import { BackfeedError, ExitCode } from '../../runtime/errors.ts'

/** Where on L1 something was said. */
export interface Place {
  readonly blockNumber: bigint
  readonly blockHash: Hex
  readonly txHash: Hex
}

export interface DerivedBatch {
  readonly header: BatchHeader
  readonly headerHash: Hex
  /** Versioned hashes of the blobs, or hashes of the calldata's chunks. */
  readonly dataWords: readonly Hex[]
  /** Time of its block, seconds: the window runs from here. */
  readonly submittedAt: number
  readonly place: Place
}

export interface DerivedGenesis {
  readonly header: BatchHeader
  readonly headerHash: Hex
  readonly zone: number
  readonly scheme: number
  readonly owner: Address
  readonly place: Place
}

export type LaneEvent =
  | { kind: 'opened'; genesis: DerivedGenesis }
  | { kind: 'submitted'; batch: DerivedBatch }
  | { kind: 'rolledBack'; index: bigint; headerHash: Hex; prover: Address; place: Place }

/** The batches of one lane as its events tell them. Pure; every hash that an event states is computed again. */
export class LaneHistory {
  readonly #events: LaneEvent[] = []
  #genesis: DerivedGenesis | undefined
  #live: DerivedBatch[] = []
  #fallen: DerivedBatch[] = []

  get genesis(): DerivedGenesis {
    if (this.#genesis === undefined) throw new BackfeedError('LANE_UNKNOWN', 'the lane has not been opened')
    return this.#genesis
  }

  get isOpen(): boolean {
    return this.#genesis !== undefined
  }

  /** Batches 1, 2, … that have not fallen. */
  get live(): readonly DerivedBatch[] {
    return this.#live
  }

  /** Batches that fraud proofs rolled back, oldest first. */
  get fallen(): readonly DerivedBatch[] {
    return this.#fallen
  }

  /** Header of the newest live batch, or header 0. */
  get tip(): { header: BatchHeader; headerHash: Hex } {
    return this.#live.at(-1) ?? this.genesis
  }

  /** Batch `index`, live; undefined beyond the tip. Header 0 is `genesis`. */
  batch(index: bigint): DerivedBatch | undefined {
    return index < 1n ? undefined : this.#live[Number(index - 1n)]
  }

  apply(event: LaneEvent): void {
    switch (event.kind) {
      case 'opened':
        this.#open(event.genesis)
        break
      case 'submitted':
        this.#submit(event.batch)
        break
      case 'rolledBack':
        this.#rollBack(event.index, event.headerHash)
        break
      default:
        throw new Error(`unknown event ${event satisfies never}`)
    }
    this.#events.push(event)
  }

  /** Forgets everything after `blockNumber`, as a reorganisation does. */
  rewind(blockNumber: bigint): void {
    const kept = this.#events.filter((event) => placeOf(event).blockNumber <= blockNumber)
    this.#events.length = 0
    this.#genesis = undefined
    this.#live = []
    this.#fallen = []
    for (const event of kept) this.apply(event)
  }

  #open(genesis: DerivedGenesis): void {
    expect(this.#genesis === undefined, 'a lane opened twice')
    expect(hashHeader(genesis.header) === genesis.headerHash, 'the genesis header does not have the stated hash')
    this.#genesis = genesis
  }

  #submit(batch: DerivedBatch): void {
    const { header } = batch
    const { tip } = this
    expect(hashHeader(header) === batch.headerHash, `header ${header.index} does not have the stated hash`)
    expect(hashDataWords(batch.dataWords) === header.dataHash, `the data words of batch ${header.index} are others`)
    expect(header.lane === this.genesis.header.lane, `batch ${header.index} is of lane ${header.lane}`)
    expect(header.index === tip.header.index + 1n, `batch ${header.index} follows batch ${tip.header.index}`)
    expect(isParent(tip.headerHash, header.parentHash), `batch ${header.index} has another parent`)
    expect(
      header.forcedStart === tip.header.forcedEnd && header.forcedStartHash === tip.header.forcedEndHash,
      `batch ${header.index} begins elsewhere in the forced queue than its parent ended`,
    )
    this.#live.push(batch)
  }

  #rollBack(index: bigint, headerHash: Hex): void {
    const first = this.batch(index)
    expect(first?.headerHash === headerHash, `batch ${index}, which fell, is not known`)
    this.#fallen.push(...this.#live.splice(Number(index - 1n)))
  }
}

export function placeOf(event: LaneEvent): Place {
  switch (event.kind) {
    case 'opened':
      return event.genesis.place
    case 'submitted':
      return event.batch.place
    case 'rolledBack':
      return event.place
    default:
      throw new Error(`unknown event ${event satisfies never}`)
  }
}

/** The ring keeps 28 bytes, so a submitter may have put anything into the last 4 (docs/protocol.md §15.3): no reason to stop reading. */
function isParent(headerHash: Hex, parentHash: Hex): boolean {
  const compared = 2 + 2 * 28
  return headerHash.slice(0, compared) === parentHash.slice(0, compared)
}

function expect(condition: boolean, otherwise: string): void {
  if (!condition) {
    throw new BackfeedError('L1_INCONSISTENT', `the rollup's events do not agree: ${otherwise}`, {
      exitCode: ExitCode.dataCorrupted,
    })
  }
}
