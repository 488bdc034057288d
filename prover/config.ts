import { z } from 'zod'
import { l1ConfigSchema } from '../l1/client.ts'
import { contractsConfigSchema } from '../l1/contracts.ts'
import { beaconConfigSchema } from '../l1/derive/beacon.ts'
import { finalitySchema } from '../l1/finality.ts'
import { txConfigSchema } from '../l1/txManager/txPolicy.ts'
import { LOG_LEVELS } from '../runtime/log.ts'

export const proverConfigSchema = z.strictObject({
  l1: l1ConfigSchema
    .extend({
      /** Where blobs come from, asked in order. None: lanes that post blobs cannot be checked. */
      beacon: z.array(beaconConfigSchema).default([]),
    })
    .prefault({}),
  contracts: contractsConfigSchema,
  prover: z.strictObject({
    /** Archived blobs, transactions under way, open cases. */
    dataDir: z.string().min(1),
    /** Hex key of the account that proves and is paid. Absent: false batches are reported, not answered. */
    keyFile: z.string().min(1).optional(),
    /** Lane ids; absent: all, also those that are opened later. */
    lanes: z.array(z.number().int().nonnegative()).optional(),
    /** How far behind L1's head batches are checked: what lies deeper is not expected to be reorganised. */
    follow: finalitySchema.default({ kind: 'depth', blocks: 2 }),
    /** Between looks at L1, milliseconds. */
    pollMs: z.number().int().min(10).max(60_000).default(4_000),
    /** After a fault such as missing blobs, milliseconds. */
    retryMs: z.number().int().min(10).max(600_000).default(10_000),
    /** Threads that verify signatures. */
    workers: z.number().int().min(1).max(64).default(2),
  }),
  /** Absent: batches are checked and not signed (docs/protocol.md §11). */
  attest: z
    .strictObject({
      /** BLS secret key, 32 bytes of hex, readable by its owner alone. Its stake is joined by `backfeed bridge attester join`. */
      keyFile: z.string().min(1),
      /** Where other attesters reach this one; multiaddrs. */
      listen: z.array(z.string()).default(['/ip4/0.0.0.0/tcp/4401']),
      /** Addresses to tell peers of, behind a NAT. */
      announce: z.array(z.string()).default([]),
      /** Other attesters, kept connected: multiaddrs that end in /p2p/ and a peer id. */
      peers: z.array(z.string().regex(/\/p2p\/[^/]+$/, 'a multiaddr that ends in /p2p/ and a peer id')).default([]),
      /** The node's own key, made on the first start. Absent: in dataDir. */
      peerKeyFile: z.string().min(1).optional(),
      /** Between tellings of signatures that are not on L1 yet, milliseconds. */
      tellMs: z.number().int().min(5_000).max(60_000).default(10_000),
      /** Attesters take turns in posting what enough of them signed; this long is a turn, milliseconds. Posting needs prover.keyFile. */
      turnMs: z.number().int().min(0).max(600_000).default(6_000),
    })
    .optional(),
  transactions: txConfigSchema.prefault({}),
  http: z
    .strictObject({
      /** Health and metrics; loopback unless something in front of it guards it. */
      host: z.string().default('127.0.0.1'),
      /** 0: any free one. */
      port: z.number().int().min(0).max(65_535).default(9_464),
    })
    .prefault({}),
  log: z.strictObject({ level: z.enum(LOG_LEVELS).default('info') }).prefault({}),
})
export type ProverConfig = z.infer<typeof proverConfigSchema>
