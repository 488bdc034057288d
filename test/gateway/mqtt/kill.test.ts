import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { type TestContext, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { type ReceiptsPayload, receiptsSchema } from '../../../evse/mqtt/payloads.ts'
import { topicOf } from '../../../evse/mqtt/topics.ts'
import { until } from '../../support/until.ts'
import { BROKERS, rawClient } from './brokers.ts'
import type { ProcessSettings } from './gatewayProcess.ts'
import { LANE, nameOf, signedRow, temporaryFolder } from './site.ts'

// The gateway is killed while it holds a message. The device sends only once here, so what comes out at the end was kept by the broker.

const PROGRAM = fileURLToPath(new URL('gatewayProcess.ts', import.meta.url))

interface Gateway {
  readonly process: ChildProcess
  readonly said: string[]
  kill(): Promise<void>
}

function startGateway(t: TestContext, settings: ProcessSettings): Gateway {
  const process = spawn(globalThis.process.execPath, [PROGRAM, JSON.stringify(settings)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const said: string[] = []
  createInterface({ input: process.stdout! }).on('line', (line) => said.push(line))
  const kill = async (): Promise<void> => {
    if (process.exitCode !== null || process.signalCode !== null) return
    const exited = once(process, 'exit')
    process.kill('SIGKILL')
    await exited
  }
  t.after(kill)
  return { process, said, kill }
}

for (const { name, skip, open } of BROKERS.filter(({ name }) => name !== 'aedes over TLS')) {
  for (const qos of [1, 2] as const) {
    for (const stuck of ['before', 'after'] as const) {
      const title = `${name}, QoS ${qos}: a gateway killed ${stuck} a record is durable loses and doubles nothing`
      test(title, { skip, timeout: 240_000 }, async (t) => {
        const broker = await open(t)
        const folder = await temporaryFolder(t)
        const settings = { broker: broker.gateway, folder, evses: 1 }
        const first = startGateway(t, { ...settings, stuck })
        await until(() => first.said.includes('up'))

        const version = broker.protocol === '5' ? 5 : 4
        const device = await rawClient(t, await broker.evse(0), { clientId: 'device', version })
        const answers: ReceiptsPayload['answers'][number][] = []
        const address = { lane: LANE, evse: nameOf(0) }
        device.on('message', (_topic, payload) =>
          answers.push(...receiptsSchema.parse(JSON.parse(`${payload}`)).answers),
        )
        await device.subscribeAsync(topicOf(address, 'receipts'), { qos: 1 })
        const rows = [0, 1, 2].map((i) => signedRow(0, i))
        for (const row of rows) await device.publishAsync(topicOf(address, 'records'), Buffer.from(row), { qos })

        await until(() => first.said.includes('put 1'))
        await first.kill()
        const second = startGateway(t, { ...settings, stuck: 'never' })
        // A redelivered row may be answered twice, and alike.
        await until(() => new Set(answers.map(({ row }) => row)).size === 3)
        assert.deepEqual(new Set(answers.map(({ row }) => row)), new Set(rows.map(hex)))
        assert.ok(answers.every(({ result, receipt }) => result === 'SETTLED' && receipt !== undefined))
        assert.equal(new Set(answers.map(({ row, position }) => `${row} ${position}`)).size, 3)
        await second.kill()
      })
    }
  }
}

function hex(row: Uint8Array): string {
  return `0x${Buffer.from(row).toString('hex')}`
}
