import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { listenOnLoopback } from '../../devnet/loopback.ts'

export interface RpcRequest {
  readonly id: number | string
  readonly method: string
  readonly params: readonly unknown[]
}

/** What becomes of a request: answered by the real node, by this, by a JSON-RPC error, or not in any proper way. */
export type Answer =
  | { readonly kind: 'forward' }
  | { readonly kind: 'result'; readonly result: unknown }
  | { readonly kind: 'error'; readonly code: number; readonly message: string }
  /** The node does as it is told, and its answer is replaced. */
  | { readonly kind: 'after'; readonly change: (result: unknown) => Answer }
  /** Reaches the node when the promise says so. */
  | { readonly kind: 'held'; readonly until: Promise<void> }
  | { readonly kind: 'hangUp' }
  | { readonly kind: 'garbage'; readonly status: number; readonly body: string }

export type Script = (request: RpcRequest) => Answer

export const forward: Answer = { kind: 'forward' }
export const refuse = (message: string, code = -32000): Answer => ({ kind: 'error', code, message })

export interface HostileNode extends AsyncDisposable {
  readonly url: string
  /** From now on; without one it is an honest node. */
  play(script?: Script): void
  /** Requests seen, by method. */
  readonly seen: ReadonlyMap<string, number>
}

/** An L1 node on loopback that misbehaves by script, in front of a real one. */
export async function startHostileNode(realUrl: string): Promise<HostileNode> {
  let script: Script = () => forward
  const seen = new Map<string, number>()
  const server = createServer((incoming, outgoing) => {
    answer(incoming, outgoing).catch(() => outgoing.destroy())
  })
  async function answer(incoming: IncomingMessage, outgoing: ServerResponse): Promise<void> {
    const parts: Buffer[] = []
    for await (const part of incoming) parts.push(part as Buffer)
    const body = JSON.parse(Buffer.concat(parts).toString()) as RpcRequest
    seen.set(body.method, (seen.get(body.method) ?? 0) + 1)
    await reply(body, script(body), outgoing)
  }
  async function reply(request: RpcRequest, what: Answer, outgoing: ServerResponse): Promise<void> {
    const { id } = request
    const say = (message: object): void => {
      outgoing
        .writeHead(200, { 'content-type': 'application/json' })
        .end(JSON.stringify({ jsonrpc: '2.0', id, ...message }))
    }
    switch (what.kind) {
      case 'forward':
        return say(await ask(realUrl, request))
      case 'after': {
        const real = await ask(realUrl, request)
        return await reply(request, 'result' in real ? what.change(real.result) : forward, outgoing)
      }
      case 'held':
        await what.until
        return say(await ask(realUrl, request))
      case 'result':
        return say({ result: what.result })
      case 'error':
        return say({ error: { code: what.code, message: what.message } })
      case 'hangUp':
        return void outgoing.destroy()
      case 'garbage':
        return void outgoing.writeHead(what.status).end(what.body)
      default:
        throw new Error(`unknown answer ${what satisfies never}`)
    }
  }
  const { port, close } = await listenOnLoopback(server)
  return {
    url: `http://127.0.0.1:${port}`,
    play: (next = () => forward) => {
      script = next
    },
    seen,
    [Symbol.asyncDispose]: close,
  }
}

async function ask(url: string, request: RpcRequest): Promise<{ result: unknown } | { error: unknown }> {
  const response = await fetch(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ jsonrpc: '2.0', ...request }),
  })
  return (await response.json()) as { result: unknown } | { error: unknown }
}
