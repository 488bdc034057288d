/** What the gateway's own metrics said at one moment. */
export class GatewayMetrics {
  readonly #values: ReadonlyMap<string, number>
  readonly atMs = performance.now()

  private constructor(text: string) {
    this.#values = new Map(
      text
        .split('\n')
        .filter((line) => line !== '' && !line.startsWith('#'))
        .map((line) => {
          const space = line.lastIndexOf(' ')
          return [line.slice(0, space).replace(/service="gateway",?/, ''), Number(line.slice(space + 1))]
        }),
    )
  }

  static async read(url: string): Promise<GatewayMetrics> {
    const response = await fetch(url)
    return new GatewayMetrics(await response.text())
  }

  /** Of the whole process, all its threads. */
  get cpuSeconds(): number {
    return this.#value('process_cpu_seconds_total')
  }

  get residentMb(): number {
    return this.#value('process_resident_memory_bytes') / 1e6
  }

  /** Share of one core since `before`. */
  cpuShare(before: GatewayMetrics): number {
    return (this.cpuSeconds - before.cpuSeconds) / ((this.atMs - before.atMs) / 1_000)
  }

  /** Upper bound of the bucket that holds this share of what was observed since `before`, seconds. */
  quantile(histogram: string, fraction: number, before: GatewayMetrics): number {
    const prefix = `${histogram}_bucket{le="`
    const buckets = [...this.#values.keys()].filter((key) => key.startsWith(prefix))
    const counts = buckets.map((key) => this.#value(key) - before.#value(key))
    const wanted = counts.at(-1)! * fraction
    const found = counts.findIndex((count) => count >= wanted)
    return Number(buckets[found]!.slice(prefix.length).replace(/".*$/, '').replace('+Inf', 'Infinity'))
  }

  /** Mean of what was observed since `before`, seconds. */
  mean(histogram: string, before: GatewayMetrics): number {
    const sum = (at: GatewayMetrics): number => at.#value(`${histogram}_sum{}`)
    return (sum(this) - sum(before)) / (this.count(histogram) - before.count(histogram))
  }

  count(histogram: string): number {
    return this.#value(`${histogram}_count{}`)
  }

  #value(key: string): number {
    const value = this.#values.get(key) ?? this.#values.get(`${key}{}`)
    if (value === undefined) throw new Error(`the gateway has no metric ${key}`)
    return value
  }
}
