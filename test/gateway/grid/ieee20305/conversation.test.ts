import assert from 'node:assert/strict'
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import type { ScriptedControl, SepScript } from '../../../support/grid/sepScript.ts'
import { type SepServer, startSepServer } from '../../../support/grid/sepServer.ts'
import { gridMetrics } from '../../../../gateway/grid/gridMetrics.ts'
import { ieee20305ConfigSchema } from '../../../../gateway/grid/ieee20305/config.ts'
import { deviceIdOf } from '../../../../gateway/grid/ieee20305/identity.ts'
import { type Ieee20305Source, openIeee20305 } from '../../../../gateway/grid/ieee20305/source.ts'
import { nanoFloor } from '../../../../gateway/grid/model/price.ts'
import { silentLogger } from '../../../../runtime/log.ts'
import { createMetrics } from '../../../../runtime/metrics.ts'
import { skipWithout } from '../../../support/sharedData.ts'
import { createPki, type IssuedFiles, type Pki } from '../../mqtt/pki.ts'
import { assertValid, SEP_SCHEMA } from '../support/schema.ts'
import { askAgain, until } from '../support/waiting.ts'

const NOON = 1_790_000_100
const LFDI = 'AB'.repeat(20)
const skip = skipWithout(SEP_SCHEMA)

let folder: string
let pki: Pki
before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'backfeed-sep-'))
  pki = await createPki(folder)
})
after(() => rm(folder, { recursive: true, force: true }))

interface Utility extends AsyncDisposable {
  readonly script: SepScript
  readonly server: SepServer
  readonly source: Ieee20305Source
  /** Moves both clocks. */
  at(seconds: number): Promise<void>
  statuses(mrid: string): number[]
  metricsText(): Promise<string>
}

interface UtilityOptions {
  readonly tls?: { server: IssuedFiles; client: IssuedFiles; trusted?: string }
  readonly config?: Record<string, unknown>
  readonly serverAhead?: number
  readonly maxPage?: number
}

async function open(script: SepScript, options: UtilityOptions = {}): Promise<Utility> {
  let seconds = NOON
  const { tls, serverAhead = 0 } = options
  const server = await startSepServer({
    script,
    now: () => seconds + serverAhead,
    pollRate: 300,
    ...(options.maxPage === undefined ? {} : { maxPage: options.maxPage }),
    ...(tls === undefined ? {} : { tls: tls.server }),
  })
  const identity =
    tls === undefined
      ? { lfdi: LFDI }
      : { certFile: tls.client.certFile, keyFile: tls.client.keyFile, caFile: tls.trusted ?? tls.client.caFile }
  const config = ieee20305ConfigSchema.parse({ name: 'utility', url: server.url, ...identity, ...options.config })
  const metrics = createMetrics({ service: 'test', process: false })
  const now = (): number => (tls === undefined ? seconds * 1000 : Date.now())
  const source = openIeee20305(config, { log: silentLogger(), metrics: gridMetrics(metrics), now })
  source.start({ fail: (error) => assert.fail(String(error)) })
  return {
    script,
    server,
    source,
    at: async (to) => {
      seconds = to
      await askAgain(source)
    },
    statuses: (mrid) =>
      server.received
        .filter(({ body }) => body.includes(`<subject>${mrid}</subject>`))
        .map(({ body }) => Number(/<status>(\d+)</.exec(body)?.[1])),
    metricsText: () => metrics.text(),
    [Symbol.asyncDispose]: async () => {
      await source.stop()
      await server.close()
    },
  }
}

function scriptOf(programs: SepScript['programs'] = [], tariffs: SepScript['tariffs'] = []): SepScript {
  return {
    devices: [
      { lfdi: 'CD'.repeat(20), sfdi: 19 },
      { lfdi: LFDI, sfdi: 28 },
    ],
    programs,
    tariffs,
  }
}

function control(mrid: string, start: number, duration: number, over: Partial<ScriptedControl> = {}): ScriptedControl {
  return {
    mrid,
    creationTime: NOON - 600,
    start,
    duration,
    base: { opModTargetW: { value: 25, multiplier: 3 } },
    replyTo: '/rsp',
    responseRequired: '03',
    ...over,
  }
}

const program = (mrid: string, primacy: number, controls: ScriptedControl[]): SepScript['programs'][number] => ({
  mrid,
  primacy,
  controls,
})

test('an event from its announcement to its end, every message valid by the schema', { skip }, async () => {
  const event = control('AA01', NOON + 3_600, 1_800, { description: 'Peak & <shave>', deviceCategory: '00020000' })
  const script = scriptOf([{ ...program('F001', 1, [event]), defaults: { opModMaxLimW: 8_000 } }])
  await using utility = await open(script)
  const { source } = utility
  await until('the first picture', () => source.picture().isKnown)
  const [found, fallback] = source.picture().events
  assert.equal(found?.state, 'scheduled')
  assert.equal(found.description, 'Peak & <shave>')
  assert.deepEqual(found.controls, [
    {
      kind: 'targetW',
      value: 25_000,
      nominal: { start: NOON + 3_600, end: NOON + 5_400 },
      effective: { start: NOON + 3_600 - 0.5, end: NOON + 5_400 - 0.5 },
    },
  ])
  assert.equal(fallback?.id, 'default/F001')
  await until('received', () => utility.statuses('AA01').length === 1)
  assert.deepEqual(utility.statuses('AA01'), [1])

  await utility.at(NOON + 3_700)
  assert.equal(source.picture().events[0]?.state, 'active')
  await utility.at(NOON + 5_500)
  assert.equal(source.picture().events[0]?.state, 'completed')
  assert.deepEqual(utility.statuses('AA01'), [1, 2, 3])
  assert.equal(source.status().state, 'UP')
  assert.match(await utility.metricsText(), /grid_responses_total\{source="utility",outcome="posted"[^}]*\} 3/)

  await assertValid(utility.server.sent.map(({ body }) => body))
  await assertValid(utility.server.received.map(({ body }) => body))
  assert.ok(utility.server.received.every(({ body }) => body.includes(`<endDeviceLFDI>${LFDI}</endDeviceLFDI>`)))
})

test('cancelled before, cancelled while it runs, superseded, of another program, expired, and not for us', {
  skip,
}, async () => {
  const early = control('B1', NOON + 1_000, 1_000)
  const running = control('B2', NOON - 100, 2_000)
  const older = control('B3', NOON + 5_000, 2_000)
  const weaker = control('B4', NOON + 20_000, 2_000)
  const stronger = control('B5', NOON + 21_000, 500)
  const expired = control('B6', NOON - 5_000, 1_000)
  const thermostat = control('B7', NOON + 100, 100, { deviceCategory: '00000001' })
  const inverterOnly = control('B8', NOON + 30_000, 100, { base: {} })
  const first = program('F1', 5, [early, running, older, weaker, expired, thermostat, inverterOnly])
  const script = scriptOf([first, program('F2', 2, [stronger])])
  await using utility = await open(script)
  const { source } = utility
  await until('all received', () =>
    ['B1', 'B2', 'B3', 'B4', 'B5', 'B6', 'B8'].every((id) => utility.statuses(id).length > 0),
  )
  assert.deepEqual(utility.statuses('B6'), [254])
  assert.deepEqual(utility.statuses('B7'), [])
  assert.deepEqual(utility.statuses('B8'), [252])

  early.ended = { status: 2, at: NOON + 50 }
  running.ended = { status: 2, at: NOON + 50 }
  first.controls.push(control('B9', NOON + 6_000, 3_000, { creationTime: NOON + 40 }))
  await utility.at(NOON + 60)
  const find = (id: string) => source.picture().events.find((event) => event.id === id)
  assert.equal(find('B1')?.state, 'cancelled')
  assert.deepEqual(find('B1')?.controls[0]?.nominal, { start: NOON + 1_000, end: NOON + 1_000 })
  assert.equal(find('B2')?.controls[0]?.nominal.end, NOON + 50)
  assert.deepEqual(utility.statuses('B1'), [1, 6])
  assert.deepEqual(utility.statuses('B2'), [1, 2, 6])

  // The newer event of the same program ends the older one when it begins; that one is not taken up again.
  await utility.at(NOON + 6_100)
  assert.equal(find('B3')?.state, 'superseded')
  assert.deepEqual(find('B3')?.controls[0]?.nominal, { start: NOON + 5_000, end: NOON + 6_000 })
  assert.deepEqual(utility.statuses('B3'), [1, 2, 7])
  await utility.at(NOON + 21_600)
  assert.deepEqual(utility.statuses('B4'), [1, 2, 14])
  assert.deepEqual(utility.statuses('B5'), [1, 2, 3])
  await assertValid(utility.server.sent.map(({ body }) => body))
  await assertValid(utility.server.received.map(({ body }) => body))
})

test('lists are read page by page, and resources no more often than their pollRate', async () => {
  const controls = Array.from({ length: 7 }, (_, i) => control(`C${i}`.padEnd(4, '0'), NOON + 1_000 * (i + 1), 900))
  await using utility = await open(scriptOf([program('F1', 1, controls)]), { maxPage: 3, config: { pollSeconds: 60 } })
  const { source, server } = utility
  await until('the picture', () => source.picture().isKnown)
  assert.equal(source.picture().events.length, 7)
  const lists = server.sent.filter(({ path }) => path.startsWith('/derp/0/derc?'))
  assert.deepEqual(
    lists.map(({ path }) => new URL(path, 'http://x').searchParams.get('s')),
    ['0', '3', '6'],
  )
})

test('prices of the Pricing function set: exact, by primacy, in our currency, of energy into the grid', {
  skip,
}, async () => {
  const interval = (mrid: string, start: number, duration: number, price: number) => ({
    mrid,
    creationTime: NOON,
    start,
    duration,
    price,
  })
  const tariff = {
    mrid: 'D0',
    componentMrid: 'D1',
    primacy: 3,
    currency: 840,
    pricePowerOfTen: -5,
    flowDirection: 19,
    energyPowerOfTen: 3,
    intervals: [interval('D2', NOON, 3_600, 3_331), interval('D3', NOON + 3_600, 3_600, -12)],
  }
  const script = scriptOf(
    [],
    [
      tariff,
      // Stronger, and for the second hour only.
      { ...tariff, mrid: 'D4', primacy: 1, intervals: [interval('D5', NOON + 3_600, 1_800, 50_000)] },
      { ...tariff, mrid: 'D6', primacy: 0, currency: 978, intervals: [interval('D7', NOON, 7_200, 1)] },
      { ...tariff, mrid: 'D8', primacy: 0, flowDirection: 1, intervals: [interval('D9', NOON, 7_200, 1)] },
    ],
  )
  await using utility = await open(script)
  await until('the picture', () => utility.source.picture().isKnown)
  const { prices } = utility.source.picture()
  assert.deepEqual(
    prices.map(({ start, end, attoPerWh }) => [start - NOON, end - NOON, nanoFloor(attoPerWh)]),
    [
      [0, 3_600, 33_310],
      [3_600, 5_400, 500_000],
      [5_400, 7_200, 0],
    ],
  )
  const [problem] = utility.source.status().problems
  assert.equal(problem?.code, 'PRICE_CURRENCY_MISMATCH')
  await assertValid(utility.server.sent.map(({ body }) => body))
})

test("events follow the server's clock, prices its calendar, and an offset is told", async () => {
  await using utility = await open(scriptOf([program('F1', 1, [control('E1', NOON + 500, 900)])]), { serverAhead: 100 })
  await until('the picture', () => utility.source.picture().isKnown)
  const [event] = utility.source.picture().events
  assert.deepEqual(event?.controls[0]?.nominal, { start: NOON + 500, end: NOON + 1_400 })
  assert.deepEqual(event?.controls[0]?.effective, { start: NOON + 399.5, end: NOON + 1_299.5 })
  assert.equal(utility.source.status().problems[0]?.code, 'GRID_CLOCK_OFF')
})

test('a device that the server does not know is told so', async () => {
  await using utility = await open({ ...scriptOf(), devices: [{ lfdi: 'CD'.repeat(20), sfdi: 19 }] })
  await until('the problem', () => utility.source.status().problems[0]?.code === 'GRID_NOT_REGISTERED')
  assert.equal(utility.source.status().state, 'DOWN')
  assert.equal(utility.source.picture().isKnown, false)
})

test('a server that goes away leaves its events standing; responses wait for it', async () => {
  const event = control('A7', NOON + 100, 900)
  const utility = await open(scriptOf([program('F1', 1, [event])]))
  try {
    await until('received', () => utility.statuses('A7').length === 1)
    await utility.server.close()
    utility.source.poke()
    await until('the failure', () => utility.source.status().problems[0]?.code === 'GRID_UNREACHABLE')
    assert.equal(utility.source.picture().events.length, 1)
    assert.equal(utility.source.status().state, 'DEGRADED')
  } finally {
    await utility.source.stop()
  }
})

test('mutual TLS: the identity is the certificate, and is what the server looks up', async () => {
  const [server, client] = [await pki.issue('server'), await pki.issue('client')]
  const device = deviceIdOf(Buffer.from(client.cert.replace(/-----[^-]+-----|\s/g, ''), 'base64'))
  const script = { ...scriptOf([program('F1', 1, [control('A1', NOON + 100, 900)])]), devices: [device] }
  await using utility = await open(script, { tls: { server, client } })
  await until('the picture', () => utility.source.picture().isKnown)
  assert.equal(utility.source.status().figures.lfdi, device.lfdi)
  assert.equal(
    utility.source.status().problems.some(({ code }) => code === 'CERTIFICATE_EXPIRES_SOON'),
    true,
  )
})

test('TLS that is refused: expired certificates, strangers, keys that others may read', async () => {
  const server = await pki.issue('server2')
  const client = await pki.issue('client2')
  const codeWith = async (tls: NonNullable<UtilityOptions['tls']>): Promise<string | undefined> => {
    await using utility = await open(scriptOf(), { tls })
    const problem = () => utility.source.status().problems[0]?.code
    await until('a problem', () => problem() !== undefined)
    assert.equal(utility.source.status().state, 'DOWN')
    assert.equal(utility.server.sent.length, 0)
    return problem()
  }
  assert.equal(await codeWith({ server, client: await pki.issue('expired', { isExpired: true }) }), 'ERR_AUTH_EXPIRED')
  assert.equal(await codeWith({ server: await pki.issue('old', { isExpired: true }), client }), 'ERR_AUTH_EXPIRED')

  const strangers = await mkdtemp(join(folder, 'strangers-'))
  const stranger = await createPki(strangers)
  const foreign = await stranger.issue('foreign')
  // The server does not know who issued ours; then we do not know who issued the server's.
  // Under TLS 1.3 a server's refusal comes after the client's handshake, as an alert or as a mere cut.
  const refusal = await codeWith({ server, client: foreign, trusted: server.caFile })
  assert.ok(refusal === 'GRID_TLS_REFUSED' || refusal === 'GRID_UNREACHABLE', refusal)
  assert.equal(await codeWith({ server, client, trusted: foreign.caFile }), 'GRID_TLS_REFUSED')

  const open644 = await pki.issue('open')
  await chmod(open644.keyFile, 0o644)
  assert.equal(await codeWith({ server, client: open644 }), 'ERR_AUTH_EXPIRED')
  await chmod(open644.keyFile, 0o600)
  await writeFile(open644.keyFile, client.key)
  assert.equal(await codeWith({ server, client: open644 }), 'GRID_IDENTITY_UNREADABLE')
})

test('answers that are no messages: each is refused with a code, none stops the source', async () => {
  const list = '<EndDeviceList xmlns="urn:ieee:std:2030.5:ns" all="1" results="1"'
  const answers: readonly (readonly [string, string])[] = [
    ['GRID_MESSAGE_INVALID', ''],
    ['GRID_MESSAGE_INVALID', 'hello'],
    ['GRID_MESSAGE_INVALID', '<DeviceCapability xmlns="urn:ieee:std:2030.5:ns">'],
    ['GRID_MESSAGE_INVALID', `${list}/>`],
    [
      'GRID_MESSAGE_INVALID',
      '<!DOCTYPE d [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;&a;&a;">]><DeviceCapability xmlns="urn:ieee:std:2030.5:ns">&b;</DeviceCapability>',
    ],
    ['GRID_MESSAGE_INVALID', '<a>'.repeat(5_000) + '</a>'.repeat(5_000)],
    ['GRID_MESSAGE_INVALID', `<DeviceCapability>${'<a/>'.repeat(60_000)}</DeviceCapability>`],
    ['GRID_ANSWER_TOO_LARGE', `<DeviceCapability>${' '.repeat(1_200_000)}</DeviceCapability>`],
    [
      'GRID_HREF_FOREIGN',
      '<DeviceCapability xmlns="urn:ieee:std:2030.5:ns"><EndDeviceListLink href="http://127.0.0.2:9/edev"/></DeviceCapability>',
    ],
  ]
  for (const [code, body] of answers) {
    const server = createServer((_, response) =>
      response.writeHead(200, { 'content-type': 'application/sep+xml' }).end(body),
    )
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const { port } = server.address() as AddressInfo
    const config = ieee20305ConfigSchema.parse({ name: 'odd', url: `http://127.0.0.1:${port}/dcap`, lfdi: LFDI })
    const metrics = gridMetrics(createMetrics({ service: 'test', process: false }))
    const source = openIeee20305(config, { log: silentLogger(), metrics, now: Date.now })
    source.start({ fail: (error) => assert.fail(String(error)) })
    await until(`a problem for ${body.slice(0, 60)}`, () => source.status().problems.length > 0)
    assert.equal(source.status().problems[0]?.code, code, body.slice(0, 80))
    await source.stop()
    server.closeAllConnections()
    await new Promise((resolve) => server.close(resolve))
  }
})
