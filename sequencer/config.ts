import { availableParallelism } from 'node:os'
import { z } from 'zod'
import { l1ConfigSchema } from '../l1/client.ts'
import { contractsConfigSchema } from '../l1/contracts.ts'
import { beaconConfigSchema } from '../l1/derive/beacon.ts'
import { txConfigSchema } from '../l1/txManager/txPolicy.ts'
import { NOTICE_SECONDS } from '../protocol/limits.ts'
import { LOG_LEVELS } from '../runtime/log.ts'
import { INGRESS_MAX_PEER_RECORDS, INGRESS_MAX_RECORDS } from './limits.ts'
import { batchWebhooksSchema } from './webhookConfig.ts'

const port = z.number().int().min(0).max(65_535)

const blsVerifySchema = z.strictObject({
  workers: z
    .number()
    .int()
    .min(1)
    .max(256)
    .default(1)
    .describe('Threads that hand signatures to blst, which has its own on every core.'),
  rowsPerSlab: z
    .number()
    .int()
    .min(16)
    .max(4_096)
    .default(256)
    .describe('Records verified together at most; with more one costs less and waits longer.'),
  slabs: z.number().int().min(8).max(4_096).default(64).describe('Tasks under way or being filled; bounds what waits.'),
  gatherMs: z
    .number()
    .int()
    .min(0)
    .max(1_000)
    .default(2)
    .describe('An idle thread is handed a task that does not fill after this, ms; a busy one when it is done.'),
  maxKeysPerWorker: z
    .number()
    .int()
    .min(1)
    .max(1_048_576)
    .default(65_536)
    .describe('Parsed keys that a thread keeps, about 1 KB each.'),
})

const verifySchema = z.strictObject({
  workers: z
    .number()
    .int()
    .min(1)
    .max(256)
    .default(availableParallelism())
    .describe('Threads that check signatures. Default: one a core.'),
  rowsPerSlab: z
    .number()
    .int()
    .min(16)
    .max(4_096)
    .default(256)
    .describe('Records of one task. Below 128 handing over costs.'),
  slabs: z
    .number()
    .int()
    .min(8)
    .max(4_096)
    .default(128)
    .describe('Tasks under way or being filled; bounds what waits.'),
  gatherMs: z
    .number()
    .int()
    .min(0)
    .max(1_000)
    .default(2)
    .describe('A task that does not fill is handed over after this, ms.'),
  maxKeysPerWorker: z
    .number()
    .int()
    .min(1)
    .max(1_048_576)
    .default(65_536)
    .describe('Parsed keys that a thread keeps, about 2 KB each.'),
  bls: blsVerifySchema.prefault({}).describe('Of lanes with BLS12-381 signatures; the rest is of P-256.'),
})

const batchSchema = z.strictObject({
  data: z.enum(['blob', 'calldata']).default('blob').describe('Where batches live on L1.'),
  maxBlobs: z.number().int().min(1).max(6).default(6).describe('Blobs of a batch at most; L1 may allow fewer.'),
  maxAgeSeconds: z.number().int().min(1).max(3_600).default(60).describe('An open batch is closed at this age, s.'),
  asOfAheadSeconds: z
    .number()
    .int()
    .min(1)
    .max(NOTICE_SECONDS - 1)
    .default(60)
    .describe('How far ahead of the clock a batch is dated, s: the time it has to fill. It is posted after.'),
  maxBacklog: z
    .number()
    .int()
    .min(1)
    .max(100_000)
    .default(512)
    .describe('Closed batches that L1 does not hold yet; with more the lane takes nothing in.'),
  maxWriteRows: z.number().int().min(1).max(32_768).default(4_096).describe('Records made durable by one write.'),
})

const commitSchema = z.strictObject({
  redateMarginSeconds: z
    .number()
    .int()
    .min(0)
    .max(7_200)
    .default(900)
    .describe('This long before L1 would refuse a batch as too old it is settled anew with a later date, s.'),
  retryMs: z
    .number()
    .int()
    .min(10)
    .max(600_000)
    .default(5_000)
    .describe('After a post that failed, ms; doubles, up to 16 times.'),
})

const httpSchema = z.strictObject({
  host: z.string().default('127.0.0.1').describe('Address to listen on.'),
  port: port.default(4300).describe('0: one that is free.'),
  trustedProxies: z.array(z.string()).default([]).describe('Whose X-Forwarded-For is believed.'),
})

const adminSchema = z.strictObject({
  host: z.string().default('127.0.0.1').describe('Address of /metrics and /healthz; keep it internal.'),
  port: port.default(4302).describe('0: one that is free.'),
})

const libp2pSchema = z.strictObject({
  enabled: z.boolean().default(true),
  listen: z.array(z.string()).default(['/ip4/127.0.0.1/tcp/4301']).describe('Multiaddrs; tcp/0: a free port.'),
  announce: z.array(z.string()).default([]).describe('Addresses to tell peers of, behind a NAT.'),
  allow: z.array(z.string()).default([]).describe('Networks of known gateways, such as /ip4/10.1.0.0/ipcidr/16.'),
  knownPeers: z.array(z.string()).default([]).describe('Peer ids of known gateways.'),
})

const ingressSchema = z.strictObject({
  maxRecords: z.number().int().min(1).default(INGRESS_MAX_RECORDS).describe('Records in flight of the whole process.'),
  maxPeerRecords: z.number().int().min(1).default(INGRESS_MAX_PEER_RECORDS).describe('Records in flight of one peer.'),
})

const storeSchema = z.strictObject({
  snapshotRows: z
    .number()
    .int()
    .min(0)
    .default(1_000_000)
    .describe('Rows between snapshots of a lane, which spare a start the replay of all before; 0: none are written.'),
})

/** `sequencer.toml`. */
export const sequencerConfigSchema = z.strictObject({
  dataFolder: z.string().min(1).describe('Journal, transactions, peer key. Losing it loses what is not on L1 yet.'),
  lanes: z.array(z.number().int().min(0).max(0xffffffff)).min(1).max(64).describe('Ids of the lanes to serve.'),
  operatorKeyFile: z
    .string()
    .min(1)
    .describe("File with the lanes' operator key, hex. Nobody else may use its account."),
  logLevel: z.enum(LOG_LEVELS).default('info'),
  clock: z
    .enum(['system', 'l1'])
    .default('system')
    .describe("l1: the newest block's time, for devnets whose clock is moved."),
  l1: l1ConfigSchema
    .extend({
      pollMs: z.number().int().min(10).max(60_000).default(2_000).describe('Between looks at the head, ms.'),
      beacon: z
        .array(beaconConfigSchema)
        .default([])
        .describe('Where blobs can be read back: only to rebuild a lost disk.'),
    })
    .prefault({}),
  contracts: contractsConfigSchema,
  transactions: txConfigSchema.prefault({}),
  verify: verifySchema.prefault({}),
  store: storeSchema.prefault({}),
  batch: batchSchema.prefault({}),
  commit: commitSchema.prefault({}),
  http: httpSchema.prefault({}),
  admin: adminSchema.prefault({}),
  libp2p: libp2pSchema.prefault({}),
  ingress: ingressSchema.prefault({}),
  webhooks: batchWebhooksSchema.describe('Whom to tell of batches.'),
})
export type SequencerConfig = z.infer<typeof sequencerConfigSchema>
