import { createPublicKey, type KeyObject, verify } from 'node:crypto'
import { Pool } from 'pg'
import { RECORD_MESSAGE_BYTES, writeRecordMessage } from '../../protocol/domain.ts'
import { RECORD_BYTES } from '../../protocol/limits.ts'
import { decodeRecord, SIGNED_RECORD_BYTES } from '../../protocol/record.ts'
import { type Benchmark, type BenchOptions, type BenchResult, medians } from '../benchmark.ts'
import { inTurn, RecordMaker } from '../recordMaker.ts'
import type { Workload } from '../workload.ts'
import { postgresPrograms, startPostgres } from './postgresServer.ts'
import { openRollupSide } from './rollup.ts'

const CONNECTIONS = 8
const BATCH = 256
const SCHEMA = `
  CREATE TABLE records (evse int NOT NULL, start bigint NOT NULL, contract int NOT NULL, energy_wh int NOT NULL,
    micro bigint NOT NULL, row bytea NOT NULL, PRIMARY KEY (evse, start));
  CREATE TABLE credits (contract int PRIMARY KEY, micro bigint NOT NULL);`
const INSERT_ONE = 'INSERT INTO records VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT DO NOTHING RETURNING evse'
const CREDIT_ONE =
  'INSERT INTO credits VALUES ($1, $2) ON CONFLICT (contract) DO UPDATE SET micro = credits.micro + excluded.micro'
const INSERT_MANY = `
  WITH given AS (SELECT * FROM unnest($1::int[], $2::bigint[], $3::int[], $4::int[], $5::bigint[], $6::bytea[])
      AS t(evse, start, contract, energy_wh, micro, row)),
    taken AS (INSERT INTO records SELECT * FROM given ON CONFLICT DO NOTHING RETURNING contract, micro)
  INSERT INTO credits SELECT contract, sum(micro) FROM taken GROUP BY contract ORDER BY contract
    ON CONFLICT (contract) DO UPDATE SET micro = credits.micro + excluded.micro`

/** What one would write without a rollup and without being able to prove anything: a Node service that verifies and stores. */
export const insteadPostgres: Benchmark = {
  name: 'instead-postgres',
  module: import.meta.url,
  title: 'the rollup beside a Node service that verifies inline and keeps records and balances in PostgreSQL',
  aims: {},
  missing: () => (postgresPrograms() === undefined ? 'PostgreSQL is not installed (Debian: postgresql)' : undefined),
  run,
}

async function run(options: BenchOptions): Promise<BenchResult> {
  await using server = await startPostgres(postgresPrograms()!)
  await using rollup = await openRollupSide(options)
  const { workload } = rollup
  const pool = new Pool({ connectionString: server.url, max: CONNECTIONS })
  await pool.query(SCHEMA)
  const keys = Array.from({ length: options.evses }, (_, evse) => keyObject(workload.rules.evseKey(evse)))
  const maker = new RecordMaker({ evses: options.evses, keys: true })
  const turn = { next: 0 }
  const rowsOf = (count: number): Uint8Array[] => {
    const rows = maker.rows(inTurn(turn, { from: 0, step: 1, end: options.evses }, count), count)
    return Array.from({ length: count }, (_, i) =>
      rows.subarray(i * SIGNED_RECORD_BYTES, (i + 1) * SIGNED_RECORD_BYTES),
    )
  }
  const round = async (): Promise<Record<string, number>> => {
    const few = rowsOf(options.quick ? 512 : 2_048)
    const one = await timed(() => inParallel(few, 1, (rows) => storeOne(pool, judged(rows, workload, keys)[0]!)))
    const many = rowsOf(options.quick ? 4_096 : 16_384)
    const batched = await timed(() => inParallel(many, BATCH, (rows) => storeMany(pool, judged(rows, workload, keys))))
    const ours = await rollup.run()
    const oursPerSecond = ours.records / ours.wallSeconds
    const onePerSecond = few.length / one
    const batchedPerSecond = many.length / batched
    return {
      timesOne: oursPerSecond / onePerSecond,
      timesBatched: oursPerSecond / batchedPerSecond,
      onePerSecond,
      batchedPerSecond,
      oursPerSecond,
    }
  }
  try {
    const { timesOne, timesBatched, ...figures } = await medians(options.rounds, round)
    const [counted] = (await pool.query('SELECT count(*) AS n FROM records')).rows
    return {
      ratios: { timesOne: timesOne!, timesBatched: timesBatched! },
      figures: { ...figures, stored: Number(counted!.n) },
    }
  } finally {
    await pool.end()
  }
}

interface Judged {
  readonly row: Uint8Array
  readonly evse: number
  readonly start: number
  readonly contract: number
  readonly energyWh: number
  readonly micro: number
}

/** On the main thread, as such services do: signature, then amount. */
function judged(rows: readonly Uint8Array[], workload: Workload, keys: readonly KeyObject[]): Judged[] {
  const message = new Uint8Array(RECORD_MESSAGE_BYTES)
  return rows.map((row) => {
    const { evse, start, contract, energyWh } = decodeRecord(row)
    const position = workload.rules.evsePosition(evse)
    writeRecordMessage(message, { domain: workload.domain, record: row, recordAt: 0, position, positionAt: 0 })
    const signature = row.subarray(RECORD_BYTES)
    if (!verify('sha256', message, { key: keys[evse]!, dsaEncoding: 'ieee-p1363' }, signature))
      throw new Error('bad signature')
    return { row, evse, start, contract, energyWh, micro: energyWh * 500 }
  })
}

async function storeOne(pool: Pool, { row, evse, start, contract, energyWh, micro }: Judged): Promise<void> {
  const client = await pool.connect()
  try {
    await client.query('BEGIN')
    const { rows } = await client.query(INSERT_ONE, [evse, start, contract, energyWh, micro, row])
    if (rows.length === 1) await client.query(CREDIT_ONE, [contract, micro])
    await client.query('COMMIT')
  } finally {
    client.release()
  }
}

async function storeMany(pool: Pool, all: readonly Judged[]): Promise<void> {
  const column = <T>(of: (record: Judged) => T): T[] => all.map(of)
  await pool.query(INSERT_MANY, [
    column(({ evse }) => evse),
    column(({ start }) => start),
    column(({ contract }) => contract),
    column(({ energyWh }) => energyWh),
    column(({ micro }) => micro),
    column(({ row }) => Buffer.from(row)),
  ])
}

async function inParallel(
  rows: readonly Uint8Array[],
  each: number,
  store: (rows: readonly Uint8Array[]) => Promise<void>,
): Promise<void> {
  let next = 0
  const feed = async (): Promise<void> => {
    while (next < rows.length) {
      const from = next
      next += each
      await store(rows.slice(from, from + each))
    }
  }
  await Promise.all(Array.from({ length: CONNECTIONS }, feed))
}

async function timed(act: () => Promise<void>): Promise<number> {
  const startedAt = performance.now()
  await act()
  return (performance.now() - startedAt) / 1e3
}

function keyObject(point: Uint8Array): KeyObject {
  const part = (from: number): string => Buffer.from(point.subarray(from, from + 32)).toString('base64url')
  return createPublicKey({ key: { kty: 'EC', crv: 'P-256', x: part(0), y: part(32) }, format: 'jwk' })
}
