import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type Hex, keccak256, toHex as numberHex } from 'viem'
import type { Roster, Seat } from '../../../l1/attest/roster.ts'
import { toHex } from '../../../l1/bytes.ts'
import { attestMessage, isQuorum } from '../../../protocol/attestation.ts'
import { genesisHeader, hashHeader } from '../../../protocol/batchHeader.ts'
import { blsKeyBytes } from '../../../protocol/bls.ts'
import { decodeVote, encodeVote, VOTE_BYTES, type Vote } from '../../../prover/attest/vote.ts'
import { type KnownBatch, VoteBook } from '../../../prover/attest/voteBook.ts'
import { testBlsKey } from '../../support/attesters.ts'

const domain = { chainId: 31_337n, attesters: `0x${'42'.repeat(20)}` as const }
const NOW = 1_800_000_000

function seat(id: number, changes: Partial<Seat> = {}, seed = id + 1): Seat {
  const key = testBlsKey(seed).toPublicKey()
  const keyHex = toHex(blsKeyBytes(key))
  const owner: Hex = `0x${'11'.repeat(20)}`
  return { id, owner, stakeMicro: 10n, releaseAt: 0, keyHash: keccak256(keyHex), keyHex, key, ...changes }
}

function rosterOf(...seats: Seat[]): Roster {
  const counted = seats.filter(({ releaseAt }) => releaseAt === 0)
  return {
    seats: new Map(seats.map((held) => [held.id, held])),
    totalMicro: counted.reduce((sum, { stakeMicro }) => sum + stakeMicro, 0n),
  }
}

function batch(index: number, salt = 0, lane = 0): KnownBatch {
  const header = { ...genesisHeader(lane, 5 + salt), index: BigInt(index) }
  return { header, headerHash: hashHeader(header), submittedAt: NOW }
}

function vote(of: KnownBatch, attester: number, toldAt = NOW, seed = attester + 1): Vote {
  const signature = testBlsKey(seed).sign(attestMessage(domain, of.headerHash)).toBytes(true)
  return { toldAt, attester, headerHash: of.headerHash, signature }
}

const roster = rosterOf(seat(0), seat(1), seat(2), seat(3))

test('a vote keeps its bytes; other lengths are none', () => {
  const one = vote(batch(1), 3)
  const bytes = encodeVote(one)
  assert.equal(bytes.length, VOTE_BYTES)
  assert.deepEqual(decodeVote(bytes), one)
  assert.equal(decodeVote(bytes.subarray(1)), undefined)
  assert.equal(decodeVote(Buffer.concat([bytes, Uint8Array.of(0)])), undefined)
})

test('votes of known batches count, and pass on once in a while', () => {
  const book = new VoteBook(domain)
  const known = batch(1)
  book.know(known)
  assert.equal(book.take(vote(known, 0), roster, NOW), 'accept')
  assert.equal(book.take(vote(known, 0, NOW + 1), roster, NOW), 'ignore', 'told too soon again')
  assert.equal(book.take(vote(known, 0, NOW + 6), roster, NOW + 6), 'accept')
  assert.equal(book.take(vote(known, 0, NOW + 600), roster, NOW + 6), 'ignore', 'of another time')
  assert.equal(book.tally(known.headerHash, roster).signedMicro, 10n)
  assert.equal(book.take(vote(known, 1), roster, NOW), 'accept')
  assert.equal(book.tally(known.headerHash, roster).isQuorum, false)
  assert.equal(book.take(vote(known, 3), roster, NOW), 'accept')
  const tally = book.tally(known.headerHash, roster)
  assert.equal(tally.isQuorum, true)
  assert.deepEqual(
    tally.signers.map(({ id }) => id),
    [0, 1, 3],
  )
})

test('a signature that is not the attester’s is garbage, whatever batch it names', () => {
  const book = new VoteBook(domain)
  const known = batch(1)
  book.know(known)
  assert.equal(book.take(vote(known, 0, NOW, 9), roster, NOW), 'reject')
  assert.equal(book.take(vote(batch(7), 0, NOW, 9), roster, NOW), 'reject')
  assert.equal(book.take({ ...vote(known, 0), signature: new Uint8Array(96) }, roster, NOW), 'reject')
  assert.equal(book.take({ ...vote(known, 0), headerHash: batch(2).headerHash }, roster, NOW), 'reject')
  assert.equal(book.take(vote(known, 0), roster, NOW), 'accept')
  assert.equal(book.take(vote(known, 0, NOW + 9, 9), roster, NOW), 'reject', 'a good one is held')
  assert.equal(book.tally(known.headerHash, roster).signedMicro, 10n)
})

test('who is unknown or leaving is not judged, and does not count', () => {
  const book = new VoteBook(domain)
  const known = batch(1)
  book.know(known)
  assert.equal(book.take(vote(known, 8), roster, NOW), 'ignore')
  assert.equal(book.take(vote(known, 0), roster, NOW), 'accept')
  const leaving = rosterOf(seat(0, { releaseAt: NOW }), seat(1))
  assert.equal(book.take(vote(known, 0, NOW + 9), leaving, NOW), 'ignore')
  assert.equal(book.tally(known.headerHash, leaving).signedMicro, 0n)
  // Another holder of the id has not signed.
  const other = rosterOf(seat(0, {}, 77))
  assert.equal(book.tally(known.headerHash, other).signedMicro, 0n)
  assert.equal(book.take(vote(known, 0, NOW, 77), other, NOW), 'accept')
  assert.equal(book.tally(known.headerHash, other).signedMicro, 10n)
})

test('votes that come before the batch is checked wait for it, a few of each attester', () => {
  const book = new VoteBook(domain)
  const ahead = Array.from({ length: 20 }, (_, i) => batch(i + 1))
  for (const one of ahead) assert.equal(book.take(vote(one, 0), roster, NOW), 'ignore')
  book.know(ahead[19]!)
  assert.equal(book.tally(ahead[19]!.headerHash, roster).signedMicro, 10n)
  const fresh = new VoteBook(domain)
  for (const one of ahead) fresh.take(vote(one, 0), roster, NOW)
  fresh.know(ahead[0]!)
  assert.equal(fresh.tally(ahead[0]!.headerHash, roster).signedMicro, 0n, 'the oldest were dropped')
})

test('a lane holds its newest batches; another batch of an index takes its place, and what followed', () => {
  const book = new VoteBook(domain)
  for (let index = 1; index <= 40; index++) book.know(batch(index))
  book.know(batch(3, 0, 1))
  const held = book.lane(0).map(({ batch: { header } }) => Number(header.index))
  assert.equal(held.length, 16)
  assert.equal(held.at(-1), 40)
  book.know(batch(38, 1))
  assert.equal(book.lane(0).at(-1)!.batch.headerHash, batch(38, 1).headerHash)
  assert.equal(book.tally(batch(39).headerHash, roster).signers.length, 0)
  assert.deepEqual(book.lanes, [0, 1])
})

test('two thirds are not enough', () => {
  assert.equal(isQuorum(20n, 30n), false)
  assert.equal(isQuorum(21n, 30n), true)
  assert.equal(isQuorum(0n, 0n), false)
})

test('the message binds chain, contract and header', () => {
  const hash: Hex = numberHex(7n, { size: 32 })
  const messages = [
    attestMessage(domain, hash),
    attestMessage({ ...domain, chainId: 1n }, hash),
    attestMessage({ ...domain, attesters: `0x${'43'.repeat(20)}` }, hash),
    attestMessage(domain, numberHex(8n, { size: 32 })),
  ]
  assert.equal(new Set(messages.map((message) => Buffer.from(message).toString('hex'))).size, 4)
})
