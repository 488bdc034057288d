import assert from 'node:assert/strict'
import { test } from 'node:test'
import { encodeAbiParameters, type Hex, hexToBigInt, keccak256, numberToHex } from 'viem'
import { registryAbi } from '../../l1/abi/registry.ts'
import { sendCall } from '../../l1/contractCall.ts'
import { MAX_SLOTS } from '../../protocol/limits.ts'
import { slotWord } from '../../protocol/descriptor.ts'
import type { Slots } from '../../protocol/laneRules.ts'
import { LaneState } from '../../protocol/laneState.ts'
import { startAnvil } from '../support/anvil.ts'
import { buildBatch } from '../support/evil/buildBatch.ts'
import { EvilLane } from '../support/evil/evilLane.ts'
import { postBatch } from '../support/evil/postBatch.ts'
import { TrueProofs } from '../support/evil/trueProof.ts'
import { openTestLane, type TestLane } from '../support/laneFixture.ts'

const RECORDS = 22
const STEP = Math.floor(MAX_SLOTS / RECORDS)
const OPEN_END = 0xffffffff
/** Slots as far apart as a full lane allows. */
const slotOf = (i: number): number => i * STEP + (STEP >> 1)

// Registering a million slots would take hours: their words are put into the node's storage instead, where registering would have.
test('the worst chunk: 22 EVSEs and 22 contracts spread over full registries of 2^20 slots', async () => {
  await using anvil = await startAnvil()
  const fixture = await openTestLane({ anvil, evses: RECORDS, contracts: RECORDS, seed: 5 })
  const { fleet, client, contracts } = fixture
  const evil = new EvilLane(fixture)
  const rules = await evil.rules()
  const activeFrom = rules.evses.activeFrom[0]!
  const base = await laneStorage(fixture)
  for (let i = 0; i < RECORDS; i++) {
    // All chargers at one place, so that whoever signs need not know where the slot is.
    const evse = fleet.evseDescriptors[i]!.slice()
    evse.set(fleet.evseDescriptors[0]!.subarray(67, 75), 67)
    const words = [
      { at: 1n, slots: rules.evses, descriptor: evse },
      { at: 1n + BigInt(MAX_SLOTS), slots: rules.contracts, descriptor: fleet.contractDescriptors[i]! },
    ]
    for (const { at, slots, descriptor } of words) {
      fill(slots, activeFrom)
      slots.descriptors.set(descriptor, slotOf(i) * slots.descriptorBytes)
      const place = numberToHex(base + at + BigInt(slotOf(i)), { size: 32 })
      await anvil.rpc('anvil_setStorageAt', [contracts.registry, place, slotWord(descriptor, activeFrom, OPEN_END)])
    }
  }
  const body = (): Uint8Array =>
    Buffer.concat(
      Array.from({ length: RECORDS }, (_, i) =>
        fleet.sign({ ...fleet.next(i), evse: slotOf(i), contract: slotOf((i + 7) % RECORDS) }, i),
      ),
    )
  const { domain } = evil
  const state = new LaneState()
  const first = buildBatch(state, rules, { asOf: await evil.asOf(), bodies: [body()], domain })
  assert.equal(first.settled, RECORDS)
  const parent = await postBatch(evil.poster, await evil.parent(), first, { mode: 'calldata' })

  const before = new LaneState()
  buildBatch(before, rules, { asOf: first.asOf, bodies: first.chunks.map((chunk) => chunk.body), domain })
  for (const mode of ['blob', 'calldata'] as const) {
    for (const isFalse of [false, true]) {
      const snapshot = await anvil.snapshot()
      const liar = new LaneState()
      buildBatch(liar, rules, { asOf: first.asOf, bodies: first.chunks.map((chunk) => chunk.body), domain })
      const bodies = [body(), body()]
      const lie = { name: 'root', chunk: 0, claim: (root: Uint8Array) => root.with(3, root[3]! ^ 4) as Uint8Array }
      const parts = { asOf: await evil.asOf(), bodies, domain }
      const batch = buildBatch(liar, rules, isFalse ? { ...parts, lie } : parts)
      assert.equal(batch.settled, 2 * RECORDS)
      const posted = await postBatch(evil.poster, parent, batch, { mode })
      const proofs = new TrueProofs({ fixture, posted, parent: parent.header, state: before, rules, domain })
      await proofs.commit(0)
      const data = proofs.proveData(0, await proofs.proofOf(0))
      if (isFalse) {
        const caller = { client, account: proofs.prover }
        const receipt = await sendCall(caller, { to: contracts.rollup, data, label: 'proveFraud' })
        const bytes = (data.length - 2) / 2
        console.log(`  ${mode}: 22 + 22 leaves of 2^20: ${receipt.gasUsed} gas, ${bytes} bytes of calldata`)
        assert.ok(receipt.gasUsed <= 5_000_000n, `${receipt.gasUsed} gas`)
        assert.ok(bytes <= 96 * 1024, `${bytes} bytes`)
      } else {
        assert.equal(await proofs.outcome(data), 'NotFraud')
      }
      await anvil.revert(snapshot)
    }
  }
})

/** Claims every slot of a registry; those that nobody looks at stay blank. */
function fill(slots: Slots, activeFrom: number): void {
  if (slots.count === MAX_SLOTS) return
  const blank = new Uint8Array((MAX_SLOTS - slots.count) * slots.descriptorBytes)
  slots.append({ firstSlot: slots.count, activeFrom, descriptors: blank })
}

/** Where the registry keeps the lane: the mapping's slot is found by a word that is known. */
async function laneStorage({ client, contracts, lane }: TestLane): Promise<bigint> {
  const word = await client.readContract({
    address: contracts.registry,
    abi: registryAbi,
    functionName: 'evseWord',
    args: [lane, 0],
  })
  for (let slot = 0n; slot < 16n; slot++) {
    const key = encodeAbiParameters([{ type: 'uint32' }, { type: 'uint256' }], [lane, slot])
    const base = hexToBigInt(keccak256(key))
    const place: Hex = numberToHex(base + 1n, { size: 32 })
    if ((await client.getStorageAt({ address: contracts.registry, slot: place })) === word) return base
  }
  throw new Error('the registry keeps its lanes elsewhere')
}
