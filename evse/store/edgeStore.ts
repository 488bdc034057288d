/** One value to be written, or a key to be removed (`value` undefined). Keys are printable text, `box/…`: each folder has a prefix of its own. */
export interface StoreOp {
  readonly key: string
  readonly value: Uint8Array | undefined
}

export interface EntryRange {
  /** Only keys behind this one. */
  readonly after?: string | undefined
  /** Only so many. Default: all. */
  readonly limit?: number | undefined
  /** From the last key backwards, then `after` means before. Default false. */
  readonly reverse?: boolean | undefined
}

/**
 * The edge's memory: small values under text keys, each with a checksum, since `level` gives back damaged bytes without an error.
 * One per process; whoever wants two things to happen together puts both into one write.
 */
export interface EdgeStore extends AsyncDisposable {
  /** @throws BackfeedError DATA_CORRUPTED, STORE_FAILED */
  get(key: string): Promise<Uint8Array | undefined>
  /**
   * All or nothing, and on disk when it resolves. Writes that are asked for together share one synchronous write, in the order they were asked for;
   * when one fails, those that wait behind it fail with it.
   * @throws BackfeedError STORE_FAILED, retryable (disk full, I/O): not written, unless the disk does not even let itself be asked; so write again the same
   */
  write(ops: readonly StoreOp[]): Promise<void>
  /** In the order of the keys (of their UTF-8 bytes), without those of writes under way. @throws BackfeedError DATA_CORRUPTED, STORE_FAILED */
  entries(prefix: string, range?: EntryRange): AsyncIterable<readonly [key: string, value: Uint8Array]>
  close(): Promise<void>
}
