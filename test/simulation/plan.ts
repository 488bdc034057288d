import { Random } from '../support/generators/random.ts'

// What a run does to the system, drawn from its seed alone: the same seed is the same plan on every machine. How the processes are
// scheduled is not under the seed, so that a replay repeats what was done, and not every interleaving of it.

/** How the L1 node misbehaves towards the sequencer. */
export const L1_FAULTS = [
  'hangsUp',
  'busy',
  'slow',
  'losesAnswers',
  'wrongNonces',
  'refusesOffers',
  'hidesReceipts',
  'everything',
] as const
export type L1Fault = (typeof L1_FAULTS)[number]

export const BEACON_FAULTS = ['unknown', 'busy', 'otherBlobs', 'hangsUp'] as const
export type BeaconFault = (typeof BEACON_FAULTS)[number]

export type Fault =
  | { readonly kind: 'none' }
  /** kill -9, and up again after a while. */
  | { readonly kind: 'killSequencer'; readonly downMs: number }
  | { readonly kind: 'stopSequencer' }
  /** SIGSTOP … SIGCONT: a process that gets no time. */
  | { readonly kind: 'freezeSequencer'; readonly ms: number }
  | { readonly kind: 'killProver'; readonly downMs: number }
  /** L1's queue takes a record; no sequencer has a say. */
  | { readonly kind: 'forceRecord' }
  | { readonly kind: 'reorg'; readonly depth: number; readonly restore: boolean }
  /** The pool forgets the operator's transactions. */
  | { readonly kind: 'evict' }
  | { readonly kind: 'l1'; readonly fault: L1Fault; readonly ms: number; readonly seed: number }
  /** The base fee rises so often at once, and what a node says of the blob base fee. */
  | { readonly kind: 'feeSpike'; readonly times: number; readonly ms: number }
  /** From now on `eth_config` says so; a sequencer that starts looks. */
  | { readonly kind: 'blobLimit'; readonly blobs: number }
  | { readonly kind: 'beacon'; readonly fault: BeaconFault; readonly ms: number }
  /** The node is stopped and started from what it saved; its pool is gone. */
  | { readonly kind: 'restartL1' }
  /** L1's clock moves on at once. */
  | { readonly kind: 'clock'; readonly seconds: number }

export type FaultKind = Fault['kind']

export interface Step {
  /** Records that each charger measures now. */
  readonly records: readonly number[]
  /** Share of submissions that the network loses, repeats, delays or swaps until the next step. */
  readonly networkTrouble: number
  readonly fault: Fault
  /** Goes on only when the sequencer runs; otherwise the next fault may meet it starting. */
  readonly awaitUp: boolean
  /** Before the next step. */
  readonly pauseMs: number
}

export interface Plan {
  readonly seed: number
  readonly data: 'blob' | 'calldata'
  readonly steps: readonly Step[]
}

/** That submit; one more forces its records. */
export const CHARGERS = 6
export const MAX_REORG = 64

/** Every kind of fault as often as it is here, shuffled, then again: a run of as many steps meets them all. */
const DECK: readonly FaultKind[] = [
  'none',
  'killSequencer',
  'killSequencer',
  'killSequencer',
  'stopSequencer',
  'freezeSequencer',
  'killProver',
  'forceRecord',
  'reorg',
  'reorg',
  'evict',
  'l1',
  'l1',
  'l1',
  'feeSpike',
  'blobLimit',
  'beacon',
  'restartL1',
  'clock',
]

export function drawPlan(seed: number, steps: number): Plan {
  const random = new Random(seed)
  const data = random.chance(0.5) ? 'blob' : 'calldata'
  const deck: FaultKind[] = []
  return {
    seed,
    data,
    steps: Array.from({ length: steps }, () => {
      if (deck.length === 0) deck.push(...shuffled(DECK, random))
      return drawStep(random, deck.pop()!)
    }),
  }
}

function drawStep(random: Random, kind: FaultKind): Step {
  return {
    records: Array.from({ length: CHARGERS }, () => (random.chance(0.7) ? random.logInt(1, 24) : 0)),
    networkTrouble: random.chance(0.3) ? 0 : random.int(5, 60) / 100,
    fault: drawFault(random, kind),
    awaitUp: random.chance(0.7),
    pauseMs: random.logInt(20, 900),
  }
}

function drawFault(random: Random, kind: FaultKind): Fault {
  const ms = random.int(200, 2_000)
  switch (kind) {
    case 'none':
    case 'stopSequencer':
    case 'forceRecord':
    case 'evict':
    case 'restartL1':
      return { kind }
    case 'killSequencer':
    case 'killProver':
      return { kind, downMs: random.logInt(1, 500) }
    case 'freezeSequencer':
      return { kind, ms }
    case 'reorg':
      return { kind, depth: random.logInt(1, MAX_REORG), restore: random.chance(0.5) }
    case 'l1':
      return { kind, fault: random.pick(L1_FAULTS), ms, seed: random.u32() }
    case 'feeSpike':
      return { kind, times: random.pick([2, 8, 40]), ms }
    case 'blobLimit':
      return { kind, blobs: random.int(1, 9) }
    case 'beacon':
      return { kind, fault: random.pick(BEACON_FAULTS), ms }
    case 'clock':
      return { kind, seconds: random.pick([30, 900, 3_600, 10_000, 86_400]) }
    default:
      throw new Error(`unknown fault ${kind satisfies never}`)
  }
}

function shuffled<T>(list: readonly T[], random: Random): T[] {
  const left = [...list]
  for (let i = left.length - 1; i > 0; i--) {
    const j = random.int(0, i)
    ;[left[i], left[j]] = [left[j]!, left[i]!]
  }
  return left
}
