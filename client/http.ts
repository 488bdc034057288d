import { RESULT_BYTES } from '../protocol/wire.ts'
import { type RawAnswer, type RecordClient, readResults, type SubmitSettings, submitChecked } from './recordClient.ts'
import { type SubmitCode, SubmitError } from './submitError.ts'

export interface HttpClientSettings extends SubmitSettings {
  /** Base URL of the sequencer, such as https://sequencer.example:4300. */
  url: string
  /** For one attempt. Default 35 s: a little longer than the sequencer's own patience. */
  timeoutMs?: number
}

const BINARY = 'application/octet-stream'

/** Binary form of `POST /v1/lanes/:lane/records`; connections are kept and shared by the runtime's `fetch`. */
export function createHttpClient(settings: HttpClientSettings): RecordClient {
  const base = settings.url.replace(/\/+$/, '')
  const timeoutMs = settings.timeoutMs ?? 35_000
  const closing = new AbortController()
  const close = async (): Promise<void> => closing.abort(new SubmitError('NO_ANSWER', 'the client was closed'))
  return {
    submit: async (request) => {
      const url = `${base}/v1/lanes/${request.lane}/records`
      const stop = [closing.signal, request.signal]
      return await submitChecked(settings, request, (rows, count) => post({ url, rows, count, timeoutMs, stop }))
    },
    close,
    [Symbol.asyncDispose]: close,
  }
}

interface Attempt {
  url: string
  rows: Uint8Array
  count: number
  timeoutMs: number
  stop: readonly (AbortSignal | undefined)[]
}

async function post(attempt: Attempt): Promise<RawAnswer> {
  const stops = attempt.stop.filter((signal) => signal !== undefined)
  let response: Response
  let body: Uint8Array
  try {
    response = await fetch(attempt.url, {
      method: 'POST',
      headers: { 'content-type': BINARY, accept: BINARY },
      body: attempt.rows as Uint8Array<ArrayBuffer>,
      signal: AbortSignal.any([...stops, AbortSignal.timeout(attempt.timeoutMs)]),
      redirect: 'error',
    })
    body = new Uint8Array(await response.arrayBuffer())
  } catch (cause) {
    for (const signal of stops) signal.throwIfAborted()
    throw new SubmitError('NO_ANSWER', `no answer from ${attempt.url}`, { cause })
  }
  if (response.headers.get('content-type')?.startsWith(BINARY)) {
    const resultBytes = attempt.count * RESULT_BYTES
    return { results: readResults(body.subarray(0, resultBytes), attempt.count), receipts: body.subarray(resultBytes) }
  }
  throw refusal(response, body)
}

function refusal(response: Response, body: Uint8Array): SubmitError {
  const said = readProblem(body)
  const retryAfterMs = said.retryAfterMs ?? Number(response.headers.get('retry-after') ?? 0) * 1_000
  const options = { retryAfterMs: Number.isFinite(retryAfterMs) ? retryAfterMs : 0 }
  return new SubmitError(codeOf(response.status, said.code), said.message ?? `HTTP ${response.status}`, options)
}

function codeOf(status: number, code: string | undefined): SubmitCode {
  if (code === 'UNKNOWN_LANE') return code
  if (code === 'NOT_ACCEPTING') return code
  if (status === 429 || status === 503) return 'OVERLOADED'
  if (status >= 500 || status === 408) return 'NO_ANSWER'
  return status >= 400 ? 'REJECTED' : 'BAD_ANSWER'
}

function readProblem(body: Uint8Array): { code?: string; message?: string; retryAfterMs?: number } {
  try {
    const said: unknown = JSON.parse(new TextDecoder().decode(body))
    if (typeof said !== 'object' || said === null) return {}
    const { code, message, retryAfterMs } = said as Record<string, unknown>
    return {
      ...(typeof code === 'string' ? { code } : {}),
      ...(typeof message === 'string' ? { message: `${String(code)}: ${message}` } : {}),
      ...(typeof retryAfterMs === 'number' ? { retryAfterMs } : {}),
    }
  } catch {
    return {} // a proxy's page: the status says enough
  }
}
