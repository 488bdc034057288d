import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type FraudSituation, nextStep, type Step } from '../../prover/decide/nextStep.ts'
import { FRAUD_COMMIT_MAX_AGE_SECONDS, WINDOW_SECONDS } from '../../protocol/limits.ts'

const SUBMITTED = 1_800_000_000
const fresh: FraudSituation = {
  headBlock: 100n,
  headSeconds: SUBMITTED + 60,
  isLive: true,
  submittedAt: SUBMITTED,
  commitment: undefined,
}
const committed = { block: 100n, seconds: SUBMITTED + 60 }
const lastUsable = committed.seconds + FRAUD_COMMIT_MAX_AGE_SECONDS - 3_600

const table: [what: string, situation: Partial<FraudSituation>, step: Step['kind']][] = [
  ['nothing was sent yet', {}, 'commit'],
  ['the commitment is in the newest block: what is sent now lands later', { commitment: committed }, 'reveal'],
  ['the commitment is older', { commitment: { ...committed, block: 90n } }, 'reveal'],
  ['the commitment lies ahead of the head: the node went back', { commitment: { ...committed, block: 101n } }, 'wait'],
  ['the commitment is nearly a day old', { commitment: committed, headSeconds: lastUsable - 1 }, 'reveal'],
  ['a proof might come too late for the commitment', { commitment: committed, headSeconds: lastUsable }, 'recommit'],
  ['the commitment expired', { commitment: committed, headSeconds: lastUsable + 90_000 }, 'recommit'],
  ['somebody else rolled it back before we committed', { isLive: false }, 'fallen'],
  ['somebody else rolled it back after we committed', { isLive: false, commitment: committed }, 'fallen'],
  ['rolled back, and its window closed', { isLive: false, headSeconds: SUBMITTED + WINDOW_SECONDS }, 'fallen'],
  ['the last second of the window', { headSeconds: SUBMITTED + WINDOW_SECONDS - 1 }, 'commit'],
  ['the window closed', { headSeconds: SUBMITTED + WINDOW_SECONDS }, 'tooLate'],
  ['the window closed on a commitment', { commitment: committed, headSeconds: SUBMITTED + WINDOW_SECONDS }, 'tooLate'],
]

for (const [what, changes, step] of table) {
  test(`${what}: ${step}`, () => assert.equal(nextStep({ ...fresh, ...changes }).kind, step))
}
