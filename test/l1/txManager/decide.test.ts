import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Hex } from 'viem'
import { type Action, type ChainView, type DecisionPolicy, decide, type Watch } from '../../../l1/txManager/decide.ts'
import type { Attempt, Inclusion, TxRecord } from '../../../l1/txManager/txRecord.ts'

const NOW = 1_000_000
const HASH_A: Hex = `0x${'aa'.repeat(32)}`
const HASH_B: Hex = `0x${'bb'.repeat(32)}`
const FEES = { maxFeePerGas: 100n, maxPriorityFeePerGas: 10n, maxFeePerBlobGas: 8n }

const policy: DecisionPolicy = {
  stuckMs: 1_000,
  rebroadcastMs: 500,
  foreignNonceBlocks: 2n,
  fees: {
    maxFeePerGasCap: 1_000n,
    maxPriorityFeePerGasCap: 1_000n,
    maxFeePerBlobGasCap: 1_000n,
    minPriorityFeePerGas: 1n,
  },
}

function attempt(change: Partial<Attempt> = {}): Attempt {
  return { hash: HASH_A, nonce: 7, purpose: 'request', fees: FEES, sentAtMs: NOW, ...change }
}
function record(change: Partial<TxRecord> = {}): TxRecord {
  return {
    id: 'a',
    label: 'test',
    kind: 'blob',
    to: '0x0000000000000000000000000000000000000001',
    data: '0x',
    value: 0n,
    gas: 21_000n,
    createdAtMs: NOW,
    nonce: 7,
    cancelled: false,
    status: { kind: 'pending' },
    attempts: [attempt()],
    ...change,
  }
}
function watch(change: Partial<Watch> = {}): Watch {
  return { lastBroadcastMs: NOW, underpriced: false, nonceTakenAt: undefined, cappedHash: undefined, ...change }
}
function view(change: Partial<ChainView> = {}): ChainView {
  return {
    nowMs: NOW,
    headNumber: 50n,
    finalNumber: 40n,
    accountNonce: 7,
    market: { baseFeePerGas: 10n, priorityFeePerGas: 2n, blobBaseFeePerGas: 1n },
    inclusions: new Map(),
    ...change,
  }
}
function included(change: Partial<Inclusion> = {}): Inclusion {
  return { hash: HASH_A, blockNumber: 45n, blockHash: HASH_B, succeeded: true, ...change }
}
const inclusions = (inclusion: Inclusion): ReadonlyMap<Hex, Inclusion> => new Map([[inclusion.hash, inclusion]])

const doubled = { maxFeePerGas: 200n, maxPriorityFeePerGas: 20n, maxFeePerBlobGas: 16n }
const cases: [name: string, record: TxRecord, watch: Watch, view: ChainView, action: Action][] = [
  [
    'never offered: opening offer, base fee twice',
    record({ attempts: [] }),
    watch(),
    view(),
    {
      kind: 'send',
      purpose: 'request',
      fees: { maxFeePerGas: 22n, maxPriorityFeePerGas: 2n, maxFeePerBlobGas: 2n },
    },
  ],
  ['just sent', record(), watch(), view(), { kind: 'wait' }],
  ['after a restart', record(), watch({ lastBroadcastMs: 0 }), view(), { kind: 'rebroadcast' }],
  [
    'stuck: a blob offer doubles',
    record(),
    watch(),
    view({ nowMs: NOW + 1_000 }),
    { kind: 'send', purpose: 'request', fees: doubled },
  ],
  [
    'stuck: a plain offer rises by a tenth, rounded up',
    record({ kind: 'plain', attempts: [attempt({ fees: { ...FEES, maxFeePerGas: 101n, maxFeePerBlobGas: 0n } })] }),
    watch(),
    view({ nowMs: NOW + 1_000 }),
    {
      kind: 'send',
      purpose: 'request',
      fees: { maxFeePerGas: 112n, maxPriorityFeePerGas: 11n, maxFeePerBlobGas: 0n },
    },
  ],
  [
    'behind another of ours: no higher offer however long it takes',
    record({ nonce: 8, attempts: [attempt({ nonce: 8 })] }),
    watch({ lastBroadcastMs: NOW + 900 }),
    view({ nowMs: NOW + 1_000 }),
    { kind: 'wait' },
  ],
  ['underpriced', record(), watch({ underpriced: true }), view(), { kind: 'send', purpose: 'request', fees: doubled }],
  [
    'stuck at the cap',
    record({ attempts: [attempt({ fees: { ...FEES, maxFeePerGas: 501n } })] }),
    watch({ lastBroadcastMs: NOW + 900 }),
    view({ nowMs: NOW + 1_000 }),
    { kind: 'capped' },
  ],
  [
    'cancelled: replaced by a cancel of the same kind',
    record({ cancelled: true }),
    watch(),
    view(),
    { kind: 'send', purpose: 'cancel', fees: doubled },
  ],
  [
    'cancel sent',
    record({ cancelled: true, attempts: [attempt(), attempt({ hash: HASH_B, purpose: 'cancel' })] }),
    watch(),
    view(),
    { kind: 'wait' },
  ],
  [
    'in a block',
    record(),
    watch(),
    view({ accountNonce: 8, inclusions: inclusions(included()) }),
    { kind: 'mined', inclusion: included() },
  ],
  [
    'an older offer in a block',
    record({ attempts: [attempt(), attempt({ hash: HASH_B })] }),
    watch(),
    view({ accountNonce: 8, inclusions: inclusions(included()) }),
    { kind: 'mined', inclusion: included() },
  ],
  [
    'in a block, not yet final',
    record({ status: { kind: 'mined', inclusion: included() } }),
    watch(),
    view({ accountNonce: 8, inclusions: inclusions(included()) }),
    { kind: 'wait' },
  ],
  [
    'in another block than before: mined again, not final, although deep enough',
    record({ status: { kind: 'mined', inclusion: included({ blockHash: HASH_A }) } }),
    watch(),
    view({ accountNonce: 8, finalNumber: 46n, inclusions: inclusions(included()) }),
    { kind: 'mined', inclusion: included() },
  ],
  [
    'final',
    record({ status: { kind: 'mined', inclusion: included() } }),
    watch(),
    view({ accountNonce: 8, finalNumber: 45n, inclusions: inclusions(included()) }),
    { kind: 'final', inclusion: included() },
  ],
  [
    'reorganised out',
    record({ status: { kind: 'mined', inclusion: included() } }),
    watch(),
    view({ accountNonce: 7 }),
    { kind: 'reorged' },
  ],
  ['nonce used by something else', record(), watch(), view({ accountNonce: 8 }), { kind: 'nonceTaken' }],
  [
    'nonce used for one block: patience',
    record(),
    watch({ nonceTakenAt: 49n }),
    view({ accountNonce: 8 }),
    { kind: 'wait' },
  ],
  [
    'nonce used for two blocks: a new one',
    record(),
    watch({ nonceTakenAt: 48n }),
    view({ accountNonce: 8 }),
    { kind: 'reassign' },
  ],
]

for (const [name, given, watched, seen, action] of cases) {
  test(`decide: ${name}`, () => assert.deepEqual(decide(given, watched, seen, policy), action))
}
