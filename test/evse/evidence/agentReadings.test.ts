import assert from 'node:assert/strict'
import { generateKeyPairSync } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { readReading } from '../../../cli/disputeCommands.ts'
import { startAgent } from '../../../evse/agent.ts'
import { evseConfigSchema } from '../../../evse/config.ts'
import { encodeRecord } from '../../../protocol/record.ts'
import { parseConfig } from '../../../runtime/config.ts'
import { silentLogger } from '../../../runtime/log.ts'
import { edgeKey, FIRST_INTERVAL, metrics, OWNER } from '../support/edge.ts'

test('an embedded agent has a car sign what its own meter saw of a record, and files it for a dispute', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'agent-readings-'))
  try {
    const keyFile = join(folder, 'evse.pem')
    const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
    writeFileSync(keyFile, privateKey.export({ type: 'pkcs8', format: 'pem' }), { mode: 0o600 })
    const car = edgeKey()
    const config = parseConfig(evseConfigSchema, {
      dataDir: join(folder, 'data'),
      evse: { name: 'charger', ...OWNER, lane: 2, slot: 5, ratedW: 11_000, lat: 52.5, lon: 13.4 },
      signer: { kind: 'file', keyFile },
      // Nobody listens there, and nothing is sent.
      sequencers: ['http://127.0.0.1:9'],
      operators: [OWNER.rollup],
      contracts: [{ slot: 1, capacityWh: 60_000, vehicleKey: `0x${Buffer.from(car.publicKey).toString('hex')}` }],
      input: { kind: 'none' },
      http: { port: 0 },
    })
    const now = (): number => (FIRST_INTERVAL + 60) * 15_000
    await using agent = await startAgent(config, { log: silentLogger(), metrics: metrics(), now })
    const record = encodeRecord({
      evse: 5,
      contract: 1,
      start: FIRST_INTERVAL,
      intervals: 60,
      energyWh: 1000,
      meterEndWh: 1000,
      socDrop: 400,
      tempC: 25,
    })
    const signature = car.sign(agent.readings.toSign(2, record, 900))
    const kept = await agent.readings.keep({ lane: 2, record, energyWh: 900, signature })
    assert.deepEqual(kept, { kind: 'KEPT', comparison: 'BELOW' })
    const wrong = await agent.readings.keep({ lane: 3, record, energyWh: 900, signature })
    assert.ok(wrong.kind === 'REFUSED' && wrong.code === 'VEHICLE_KEY_UNKNOWN')
    const file = readReading(join(folder, 'data', 'disputes', `reading-2-5-${FIRST_INTERVAL}.json`))
    assert.equal(file.energyWh, 900)
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
})
