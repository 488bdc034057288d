import { REQUEST_RECORDS } from './feeder.ts'
import { HelperProcess } from './helperProcess.ts'
import type { LoadCalls, LoadRun, Pace, Target } from './loadProcess.ts'
import type { Workload } from './workload.ts'

/** A process that plays chargers and gateways (loadProcess.ts): it signs the records, too, so that what is measured holds no private key. */
export class LoadGenerator implements AsyncDisposable {
  readonly #process = new HelperProcess<LoadCalls>(new URL('./loadProcess.ts', import.meta.url))
  readonly #connections: number

  private constructor(connections: number) {
    this.#connections = connections
  }

  /** Plays the EVSEs of `workload`, which have keys. */
  static async open({ evses, layout }: Workload, connections: number): Promise<LoadGenerator> {
    const generator = new LoadGenerator(connections)
    await generator.#process.ask('play', evses, layout.scheme, connections)
    return generator
  }

  /** At least `count` records that are not sent, of all EVSEs in turn. */
  sample(count: number): Promise<Uint8Array> {
    return this.#process.ask('sample', Math.ceil(count / this.#connections))
  }

  connect(target: Target): Promise<void> {
    return this.#process.ask('connect', target)
  }

  /** Makes what `go` sends next; how many records that is. */
  async load(requestsEach: number, recordsEach = REQUEST_RECORDS): Promise<number> {
    await this.#process.ask('load', requestsEach, recordsEach)
    return requestsEach * recordsEach * this.#connections
  }

  go(pace: Pace): Promise<LoadRun> {
    return this.#process.ask('go', pace)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#process.ask('disconnect')
    await this.#process[Symbol.asyncDispose]()
  }
}
