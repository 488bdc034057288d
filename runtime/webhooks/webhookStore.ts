/** One value to be written, or a key to be removed (`value` undefined). Keys are printable ASCII. */
export interface WebhookOp {
  readonly key: string
  readonly value: Uint8Array | undefined
}

/** What webhooks need of a process's own store: checked values under text keys. */
export interface WebhookStore {
  get(key: string): Promise<Uint8Array | undefined>
  /** All or nothing, and on disk when it resolves. */
  write(ops: readonly WebhookOp[]): Promise<void>
  /** In the order of the keys. */
  entries(prefix: string): AsyncIterable<readonly [key: string, value: Uint8Array]>
}

/** Part of a write of somebody else's: it is so once that write is durable, and then `done` is to be called. */
export interface Noted {
  readonly ops: readonly WebhookOp[]
  readonly done: () => void
}

const FORMAT = 1

/** Values are JSON with the number of their format: small, and a person can look at them. */
export function encodeJson(value: unknown): Uint8Array {
  return new TextEncoder().encode(JSON.stringify([FORMAT, value]))
}

/** Only what `encodeJson` wrote: the store's checksum vouches for the bytes. Undefined: of another format. */
export function decodeJson<T>(bytes: Uint8Array): T | undefined {
  const [format, value] = JSON.parse(new TextDecoder().decode(bytes)) as [number, T]
  return format === FORMAT ? value : undefined
}

/** A number in a key, in the order of the numbers. */
export function keyNumber(value: number): string {
  return value.toString(16).padStart(14, '0')
}
