/** One value to be written, or a key to be removed (`value` undefined). Keys are printable text, `box/…`: each folder has a prefix of its own. */
export interface StoreOp {
  readonly key: string
  readonly value: Uint8Array | undefined
}

/**
 * The edge's memory: small values under text keys, each with a checksum, since `level` gives back damaged bytes without an error.
 * One per process; whoever wants two things to happen together puts both into one write.
 */
export interface EdgeStore extends AsyncDisposable {
  /** @throws BackfeedError DATA_CORRUPTED */
  get(key: string): Promise<Uint8Array | undefined>
  /** All or nothing, and on disk when it resolves. Writes that are asked for together share one synchronous write. @throws BackfeedError STORE_FAILED (disk full, I/O) */
  write(ops: readonly StoreOp[]): Promise<void>
  /** In the order of the keys. @throws BackfeedError DATA_CORRUPTED */
  entries(prefix: string): AsyncIterable<readonly [key: string, value: Uint8Array]>
  close(): Promise<void>
}
