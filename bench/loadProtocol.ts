// What the benchmark and its load generator say to each other, by structured clone.

export interface HttpTarget {
  readonly kind: 'http-binary' | 'http-json'
  readonly url: string
  /** Of the lane: how many results an answer begins with. */
  readonly rowBytes: number
}

export type Target = { readonly kind: 'libp2p'; readonly address: string } | HttpTarget

export type LoadCommand =
  /** Opens connections: one for each of the lists that follow. */
  | { readonly kind: 'connect'; readonly target: Target; readonly connections: number }
  /** The bodies to send, encoded before anything is timed. */
  | { readonly kind: 'load'; readonly bodies: readonly (readonly Uint8Array[])[] }
  /** Each connection keeps `inFlight` requests under way; or, with a rate, sends at its times whether or not answers have come. */
  | { readonly kind: 'go'; readonly inFlight: number; readonly requestsPerSecond?: number }
  | { readonly kind: 'stop' }

export type LoadReply =
  | { readonly kind: 'ready' }
  | {
      readonly kind: 'done'
      readonly settled: number
      /** Of the generator's process, between the first request and the last answer. */
      readonly cpuSeconds: number
      /** Of each request, from when it was due. */
      readonly latenciesMs: readonly number[]
    }
