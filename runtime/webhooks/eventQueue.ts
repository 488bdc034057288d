import { dataCorrupted } from '../dataCorrupted.ts'
import { eventId, type QueuedEvent, queuedEvent } from './event.ts'
import { decodeJson, encodeJson, keyNumber, type Noted, type WebhookOp, type WebhookStore } from './webhookStore.ts'

// Events that wait for one receiver, on disk:
//
//   hook/q/name/number   an event, in the order in which they were made
//   hook/d/name          what made room: told before everything else, as `events.dropped.v1`

export const QUEUES = 'hook/q/'
const DROPPED = 'hook/d/'
/** Of an entry besides its value: key, checksum, and what LevelDB adds. */
const ENTRY_OVERHEAD_BYTES = 80
export const DROPPED_TYPE = 'events.dropped.v1'

/** An event that waits: all but its body. */
export interface Waiting {
  readonly number: number
  readonly id: string
  readonly type: string
  readonly subject: string
  readonly atMs: number
  readonly bytes: number
}

/** Events that a receiver will never get, since its queue was full. */
export interface Dropped {
  /** Of the next telling; a receiver that was told counts anew. */
  readonly telling: number
  readonly count: number
  readonly byType: Readonly<Record<string, number>>
  /** When the first and the last of them were made, milliseconds. */
  readonly fromMs: number
  readonly toMs: number
}

export interface EventQueueSettings {
  readonly store: WebhookStore
  readonly name: string
  readonly maxBytes: number
  readonly onDropped: (event: Waiting) => void
}

export class EventQueue {
  readonly #settings: EventQueueSettings
  /** By number, rising. */
  readonly #waiting = new Map<number, Waiting>()
  readonly #subjects = new Map<string, Waiting[]>()
  readonly #underWay = new Set<number>()
  #dropped: Dropped | undefined
  #telling = 0
  #bytes = 0
  #next = 1

  constructor(settings: EventQueueSettings) {
    this.#settings = settings
  }

  /** @throws BackfeedError DATA_CORRUPTED, STORE_FAILED */
  async load(): Promise<void> {
    const { store, name } = this.#settings
    for await (const [key, value] of store.entries(this.#prefix)) {
      const number = Number.parseInt(key.slice(this.#prefix.length), 16)
      const { body: _, ...event } = readEvent(key, value)
      this.#add({ ...event, number, bytes: value.length + ENTRY_OVERHEAD_BYTES })
    }
    const dropped = await store.get(DROPPED + name)
    if (dropped !== undefined) {
      this.#dropped = decodeJson<Dropped>(dropped)
      this.#telling = this.#dropped?.telling ?? 0
    }
  }

  get count(): number {
    return this.#waiting.size
  }

  get bytes(): number {
    return this.#bytes
  }

  /** When the oldest that waits was made, milliseconds; undefined when none waits. */
  get oldestAtMs(): number | undefined {
    return this.#waiting.values().next().value?.atMs
  }

  get dropped(): Dropped | undefined {
    return this.#dropped
  }

  /** Puts events in; the oldest make room where there is none. One preparation at a time. */
  add(events: readonly QueuedEvent[]): Noted {
    const { name, maxBytes, onDropped } = this.#settings
    const added = events.map((event) => {
      const number = this.#next++
      const value = encodeJson(event)
      const { body: _, ...rest } = event
      return { value, waiting: { ...rest, number, bytes: value.length + ENTRY_OVERHEAD_BYTES } }
    })
    const gone: Waiting[] = []
    let excess = added.reduce((sum, { waiting }) => sum + waiting.bytes, this.#bytes) - maxBytes
    for (const event of excess > 0 ? this.#waiting.values() : []) {
      if (excess <= 0) break
      if (this.#underWay.has(event.number)) continue
      gone.push(event)
      excess -= event.bytes
    }
    const dropped = gone.reduce<Dropped | undefined>(
      (sum, event) => withDropped(sum, event, this.#telling),
      this.#dropped,
    )
    const ops: WebhookOp[] = [
      ...added.map(({ waiting, value }) => ({ key: this.#key(waiting.number), value })),
      ...gone.map(({ number }) => ({ key: this.#key(number), value: undefined })),
      ...(gone.length === 0 || dropped === undefined ? [] : [{ key: DROPPED + name, value: encodeJson(dropped) }]),
    ]
    const done = (): void => {
      for (const { waiting } of added) this.#add(waiting)
      if (gone.length === 0) return
      this.#dropped = dropped
      for (const event of gone) {
        this.#remove(event)
        onDropped(event)
      }
    }
    return { ops, done }
  }

  /** The first event of a subject that has none under way and is not to be left alone; it is under way then. */
  take(leaveAlone: (subject: string) => boolean): Waiting | undefined {
    for (const [subject, [first]] of this.#subjects) {
      if (first === undefined || this.#underWay.has(first.number) || leaveAlone(subject)) continue
      this.#underWay.add(first.number)
      // Another subject's turn comes first next time.
      const events = this.#subjects.get(subject)!
      this.#subjects.delete(subject)
      this.#subjects.set(subject, events)
      return first
    }
    return undefined
  }

  giveBack({ number }: Waiting): void {
    this.#underWay.delete(number)
  }

  /** Undefined: it was dropped meanwhile. @throws BackfeedError DATA_CORRUPTED, STORE_FAILED */
  async read({ number }: Waiting): Promise<QueuedEvent | undefined> {
    const key = this.#key(number)
    const value = await this.#settings.store.get(key)
    if (value !== undefined) return readEvent(key, value)
    if (this.#waiting.has(number)) throw dataCorrupted(`${key} is gone`)
    return undefined
  }

  /** It was acknowledged. @throws BackfeedError STORE_FAILED: it is told again */
  async remove(event: Waiting): Promise<void> {
    await this.#settings.store.write([{ key: this.#key(event.number), value: undefined }])
    this.#remove(event)
  }

  /** What was dropped, as an event; undefined when nothing was. */
  droppedEvent(): { readonly event: QueuedEvent; readonly told: Dropped } | undefined {
    const told = this.#dropped
    if (told === undefined) return undefined
    const { telling, count, byType, fromMs, toMs } = told
    const data = { count, byType, from: new Date(fromMs).toISOString(), to: new Date(toMs).toISOString() }
    const id = eventId(DROPPED_TYPE, this.#settings.name, telling, count, fromMs, toMs)
    return { event: queuedEvent({ id, type: DROPPED_TYPE, subject: '', atMs: toMs, data }), told }
  }

  /** The receiver knows of `told`; what was dropped since is told of next. */
  async toldDropped(told: Dropped): Promise<void> {
    const { store, name } = this.#settings
    const now = this.#dropped
    if (now === undefined) return
    const left = now.count === told.count ? undefined : without(now, told)
    await store.write([{ key: DROPPED + name, value: left && encodeJson(left) }])
    // More may have been dropped during the write: that is told twice rather than never.
    if (this.#dropped === now) this.#dropped = left
    this.#telling = told.telling + 1
  }

  get #prefix(): string {
    return `${QUEUES}${this.#settings.name}/`
  }

  #key(number: number): string {
    return this.#prefix + keyNumber(number)
  }

  #add(event: Waiting): void {
    this.#waiting.set(event.number, event)
    this.#bytes += event.bytes
    this.#next = Math.max(this.#next, event.number + 1)
    const subject = this.#subjects.get(event.subject)
    if (subject === undefined) this.#subjects.set(event.subject, [event])
    else subject.push(event)
  }

  #remove(event: Waiting): void {
    this.#underWay.delete(event.number)
    if (!this.#waiting.delete(event.number)) return
    this.#bytes -= event.bytes
    const left = this.#subjects.get(event.subject)!.filter(({ number }) => number !== event.number)
    if (left.length === 0) this.#subjects.delete(event.subject)
    else this.#subjects.set(event.subject, left)
  }
}

function readEvent(key: string, value: Uint8Array): QueuedEvent {
  const event = decodeJson<QueuedEvent>(value)
  if (event === undefined) throw dataCorrupted(`${key} has another format`)
  return event
}

function withDropped(sum: Dropped | undefined, { type, atMs }: Waiting, telling: number): Dropped {
  const none: Omit<Dropped, 'telling'> = { count: 0, byType: {}, fromMs: atMs, toMs: atMs }
  const { count, byType, fromMs, toMs } = sum ?? none
  return {
    telling,
    count: count + 1,
    byType: { ...byType, [type]: (byType[type] ?? 0) + 1 },
    fromMs: Math.min(fromMs, atMs),
    toMs: Math.max(toMs, atMs),
  }
}

function without(now: Dropped, told: Dropped): Dropped {
  const byType = Object.entries(now.byType).map(([type, count]) => [type, count - (told.byType[type] ?? 0)] as const)
  return {
    telling: told.telling + 1,
    count: now.count - told.count,
    byType: Object.fromEntries(byType.filter(([, count]) => count > 0)),
    fromMs: told.toMs,
    toMs: now.toMs,
  }
}
