import { BackfeedError, ExitCode } from '../runtime/errors.ts'

/** Flags, description and default, for `Command.option`. */
export const GATEWAY_URL = [
  '--url <url>',
  'of the gateway’s [http], as it printed it at its start',
  'http://127.0.0.1:9465',
] as const satisfies readonly [string, string, string]

/** Of one request: it is answered from memory, or from the gateway's disk. */
const REQUEST_TIMEOUT_MS = 10_000

/** Asks a running gateway; with a body it is a POST. @throws BackfeedError GATEWAY_UNREACHABLE, or what it refuses by */
export async function gatewayAnswer(url: string, path: string, body?: object): Promise<unknown> {
  let answer: unknown
  let ok: boolean
  try {
    const response = await fetch(new URL(path, url), {
      signal: AbortSignal.timeout(REQUEST_TIMEOUT_MS),
      ...(body && { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) }),
    })
    ok = response.ok
    answer = await response.json()
  } catch (cause) {
    throw new BackfeedError('GATEWAY_UNREACHABLE', `no gateway answers at ${url}`, { exitCode: ExitCode.usage, cause })
  }
  if (ok) return answer
  const { code, message } = (answer ?? {}) as { code?: unknown; message?: unknown }
  throw new BackfeedError(String(code ?? 'GATEWAY_UNREACHABLE'), String(message ?? 'the gateway refuses'), {
    exitCode: ExitCode.usage,
  })
}
