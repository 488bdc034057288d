import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import { listenOnLoopback } from '../../../devnet/loopback.ts'
import type { SepScript } from './sepScript.ts'
import {
  controlXml,
  document,
  element,
  fields,
  link,
  programXml,
  rateComponentXml,
  setPointsXml,
  statusOf,
  tariffIntervalXml,
  tariffXml,
  timeXml,
} from './sepXml.ts'

export interface SepServerSettings {
  readonly script: SepScript
  /** Seconds. */
  readonly now: () => number
  /** PEM. Clients must show a certificate that leads to `ca`. Absent: http. */
  readonly tls?: { readonly cert: string; readonly key: string; readonly ca: string }
  /** 0: a free one. */
  readonly port?: number
  /** Of every list and of DeviceCapability, seconds. */
  readonly pollRate?: number
  /** Most entries of a list page, whatever a client asks for. */
  readonly maxPage?: number
}

export interface Exchange {
  readonly method: string
  readonly path: string
  readonly body: string
}

export interface SepServer extends AsyncDisposable {
  /** Of DeviceCapability. */
  readonly url: string
  /** Every representation that was sent. */
  readonly sent: readonly Exchange[]
  /** Every response that was posted. */
  readonly received: readonly Exchange[]
  close(): Promise<void>
}

const MAX_POST_BYTES = 65_536
/** Kept of each kind: an evening of a devnet is a few thousand. */
const MAX_KEPT = 20_000

/**
 * A utility's IEEE 2030.5 server on loopback, for the devnet and for tests: it tells what its script holds at the moment it is
 * asked, and keeps what it is told.
 */
export async function startSepServer(settings: SepServerSettings): Promise<SepServer> {
  const sent: Exchange[] = []
  const received: Exchange[] = []
  const handle = (request: IncomingMessage, response: ServerResponse): void => {
    void answer(request, settings, received).then(({ status, body, headers }) => {
      if (body !== '') keep(sent, { method: request.method ?? '', path: request.url ?? '', body })
      response.writeHead(status, { 'content-type': 'application/sep+xml', ...headers }).end(body)
    })
  }
  const { tls } = settings
  const server =
    tls === undefined
      ? createServer(handle)
      : createTlsServer({ ...tls, requestCert: true, rejectUnauthorized: true, minVersion: 'TLSv1.2' }, handle)
  const { port, close } = await listenOnLoopback(server, settings.port)
  const url = `${tls === undefined ? 'http' : 'https'}://127.0.0.1:${port}/dcap`
  return { url, sent, received, close, [Symbol.asyncDispose]: close }
}

interface Reply {
  readonly status: number
  readonly body: string
  readonly headers?: Readonly<Record<string, string>>
}

async function answer(request: IncomingMessage, settings: SepServerSettings, received: Exchange[]): Promise<Reply> {
  const url = new URL(request.url ?? '/', 'http://server')
  if (request.method === 'POST') {
    const body = await bodyOf(request)
    if (!url.pathname.startsWith('/rsp') || body === undefined) return { status: 400, body: '' }
    keep(received, { method: 'POST', path: url.pathname, body })
    return { status: 201, body: '', headers: { location: `${url.pathname}/${received.length}` } }
  }
  const body = request.method === 'GET' ? representation(url, settings) : undefined
  return body === undefined ? { status: 404, body: '' } : { status: 200, body }
}

function representation(url: URL, settings: SepServerSettings): string | undefined {
  const { script } = settings
  const now = Math.floor(settings.now())
  const list = (name: string, entries: readonly string[], hasPollRate = true): string => {
    const from = Number(url.searchParams.get('s') ?? 0)
    const asked = Number(url.searchParams.get('l') ?? 1)
    const page = entries.slice(from, from + Math.min(asked, settings.maxPage ?? 255))
    const pollRate = hasPollRate ? settings.pollRate : undefined
    const attributes = { href: url.pathname, all: entries.length, results: page.length, pollRate }
    return document(name, attributes, page.join(''))
  }
  const parts = url.pathname.split('/').slice(1)
  const path = parts.map((part) => (/^\d+$/.test(part) ? '#' : part)).join('/')
  const numbers = parts.filter((part) => /^\d+$/.test(part)).map(Number)
  const program = script.programs[numbers[0] ?? -1]
  const tariff = script.tariffs[numbers[0] ?? -1]
  const tariffPath = `/tp/${numbers[0]}`
  switch (path) {
    case 'dcap':
      return document(
        'DeviceCapability',
        { href: '/dcap', pollRate: settings.pollRate },
        link('TimeLink', '/tm') + link('EndDeviceListLink', '/edev', script.devices.length),
      )
    case 'tm':
      return timeXml(now)
    case 'edev':
      return list(
        'EndDeviceList',
        script.devices.map((device, i) => deviceXml(device, i)),
      )
    case 'edev/#/fsa':
      return list('FunctionSetAssignmentsList', [assignmentsXml(script, url.pathname)])
    case 'derp':
      return list(
        'DERProgramList',
        script.programs.map((found, i) => programXml(found, `/derp/${i}`)),
      )
    case 'derp/#/derc':
    case 'derp/#/actderc': {
      if (program === undefined) return undefined
      const shown = path.endsWith('actderc')
        ? program.controls.filter((control) => statusOf(control, now).code === 1)
        : program.controls
      const base = `/derp/${numbers[0]}/derc`
      return list(
        'DERControlList',
        shown.map((control, i) => controlXml(control, `${base}/${i}`, now)),
        false,
      )
    }
    case 'derp/#/dderc':
      if (program?.defaults === undefined) return undefined
      return document(
        'DefaultDERControl',
        { href: url.pathname },
        fields({ mRID: `${program.mrid.slice(0, 30)}DD` }) +
          element('DERControlBase', {}, setPointsXml(program.defaults)),
      )
    case 'tp':
      return list(
        'TariffProfileList',
        script.tariffs.map((found, i) => tariffXml(found, `/tp/${i}`)),
      )
    case 'tp/#/rc':
      return tariff && list('RateComponentList', [rateComponentXml(tariff, tariffPath)], false)
    case 'tp/#/rt':
      return (
        tariff &&
        document(
          'ReadingType',
          { href: url.pathname },
          fields({ flowDirection: tariff.flowDirection, powerOfTenMultiplier: tariff.energyPowerOfTen, uom: 72 }),
        )
      )
    case 'tp/#/rc/#/tti': {
      if (tariff === undefined) return undefined
      const entries = tariff.intervals.map((event, i) => tariffIntervalXml(event, `${tariffPath}/rc/0/tti/${i}`, now))
      return list('TimeTariffIntervalList', entries, false)
    }
    case 'tp/#/rc/#/tti/#/cti': {
      const price = tariff?.intervals[numbers[2] ?? -1]?.price
      if (price === undefined) return undefined
      const entry = element('ConsumptionTariffInterval', {}, fields({ consumptionBlock: 0, price, startValue: 0 }))
      return list('ConsumptionTariffIntervalList', [entry], false)
    }
    default:
      return undefined
  }
}

function deviceXml(device: SepScript['devices'][number], index: number): string {
  return element(
    'EndDevice',
    { href: `/edev/${index}` },
    fields({ lFDI: device.lfdi, sFDI: device.sfdi, changedTime: 0, enabled: true }) +
      link('FunctionSetAssignmentsListLink', `/edev/${index}/fsa`, 1),
  )
}

function assignmentsXml(script: SepScript, path: string): string {
  return element(
    'FunctionSetAssignments',
    { href: `${path}/0` },
    link('DERProgramListLink', '/derp', script.programs.length) +
      link('TariffProfileListLink', '/tp', script.tariffs.length) +
      link('TimeLink', '/tm') +
      fields({ mRID: 'F5A0' }),
  )
}

async function bodyOf(request: IncomingMessage): Promise<string | undefined> {
  let body = ''
  for await (const chunk of request.setEncoding('utf8')) {
    body += chunk
    if (body.length > MAX_POST_BYTES) return undefined
  }
  return body
}

function keep(list: Exchange[], exchange: Exchange): void {
  list.push(exchange)
  if (list.length > MAX_KEPT) list.shift()
}
