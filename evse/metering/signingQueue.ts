import { INTERVAL_SECONDS } from '../../protocol/limits.ts'
import type { DischargeRecord } from '../../protocol/record.ts'
import { BackfeedError, isBackfeedError } from '../../runtime/errors.ts'
import { Runner } from '../../runtime/runner.ts'
import type { Outbox, OutboxRow } from '../outbox/outbox.ts'
import type { EdgeStore, StoreOp } from '../store/edgeStore.ts'
import type { CutRules } from './config.ts'
import type { Draft, RecordDraft, WithheldCode, WithheldDraft } from './draft.ts'
import { type DraftVerdict, type DraftWait, judgeDraft } from './judgeDraft.ts'
import { draftKey, signedKey, withheldKey } from './meterKeys.ts'
import type { Transaction } from './meterState.ts'
import { decodeValue, encodeValue, type SignedState } from './meterStorage.ts'
import type { TransactionAccounts } from './transactionAccounts.ts'
import { joined, spreadEvenly } from './withheld.ts'

/** Records signed between two writes: a period's beginning has one an EVSE, a recovery thousands. */
const MAX_GROUP = 64
const FIRST_RETRY_MS = 1_000
/** Final refusals of a signer that are about one span: from before the slot's time, or measured under a clock that was wrong. */
const NEVER_SIGNED = ['EVSE_NOT_ACTIVE', 'CLOCK_UNTRUSTED'] as const
const LAST_RETRY_MS = 60_000

export interface SigningPort {
  readonly store: EdgeStore
  readonly outbox: Outbox
  readonly accounts: TransactionAccounts | undefined
  readonly signRecord: (evse: string, record: DischargeRecord) => Promise<Uint8Array>
  readonly capacityWh: (lane: number, contract: number) => number | undefined
  readonly now: () => number
  readonly monotonicMs: () => number
  /** Whether the wall clock can be signed by. */
  readonly isClockTrusted: () => boolean
  /** What came of a draft, once it is on disk. */
  readonly onSigned: (draft: RecordDraft) => void
  readonly onWithheld: (draft: WithheldDraft) => void
  readonly onFailed: (evse: string, error: unknown) => void
}

export interface SignedEvse {
  readonly name: string
  readonly lane: number
  readonly rules: CutRules
}

/** Why the first draft is not signed yet. */
export type QueueWait = DraftWait | 'RELEASE' | 'CLOCK' | 'RETRY'

/** Drafts of one EVSE on their way into the outbox, strictly in their order: settlement takes no record from before the last. */
export class SigningQueue {
  readonly drafts: Draft[]
  #signed: SignedState
  #lastWithheld: WithheldDraft | undefined
  #waitsFor: QueueWait | undefined
  #failure: BackfeedError | undefined
  #retryMs = 0
  #nextTryMs = 0
  readonly #runner = new Runner(() => this.#runAll())
  readonly #evse: () => SignedEvse | undefined
  readonly #transaction: (id: string) => Transaction | undefined
  readonly #port: SigningPort

  constructor(
    port: SigningPort,
    evse: () => SignedEvse | undefined,
    transaction: (id: string) => Transaction | undefined,
    loaded: { drafts: Draft[]; signed: SignedState; lastWithheld: WithheldDraft | undefined },
  ) {
    this.#port = port
    this.#evse = evse
    this.#transaction = transaction
    this.drafts = loaded.drafts
    this.#signed = loaded.signed
    this.#lastWithheld = loaded.lastWithheld
  }

  get waitsFor(): QueueWait | undefined {
    return this.drafts.length === 0 ? undefined : this.#waitsFor
  }

  /** The last failure to sign or to store, while it lasts. */
  get failure(): BackfeedError | undefined {
    return this.#failure
  }

  /** Goes as far as it can. Resolves when it stands still; never throws. */
  run(): Promise<void> {
    return this.#runner.wake()
  }

  /** Makes records of the gap that others wait for. @throws BackfeedError NOT_RELEASABLE */
  releaseGap(number: number, part: number): Promise<void> {
    return this.#alone(async () => {
      const index = this.drafts.findIndex((draft) => draft.number === number && draft.part === part)
      const gap = this.drafts[index]
      const evse = this.#evse()
      if (evse === undefined || gap?.kind !== 'WITHHELD' || gap.code !== 'GAP_TOO_LONG') {
        throw new BackfeedError(
          'NOT_RELEASABLE',
          'no gap of that id waits: later records were signed, or it never was one',
        )
      }
      const parts = spreadEvenly(gap, evse.rules)
      const ops: StoreOp[] = [{ key: draftKey(evse.name, gap), value: undefined }]
      for (const part of parts) ops.push({ key: draftKey(evse.name, part), value: encodeValue(part) })
      await this.#port.store.write(ops)
      this.drafts.splice(index, 1, ...parts)
    })
  }

  /** What was put aside and is dealt with: off the list. Returns its energy. @throws BackfeedError NOT_WITHHELD, STORE_FAILED */
  dismiss(number: number, part: number): Promise<number> {
    return this.#alone(async () => {
      const key = withheldKey(this.#evse()?.name ?? '', { number, part })
      const bytes = await this.#port.store.get(key)
      if (bytes === undefined) throw new BackfeedError('NOT_WITHHELD', 'nothing of that id is put aside')
      const entry = decodeValue<WithheldDraft>(key, bytes)
      await this.#port.store.write([{ key, value: undefined }])
      if (this.#lastWithheld?.number === number && this.#lastWithheld.part === part) this.#lastWithheld = undefined
      return entry.energyWh
    })
  }

  /** While nothing is signed and nobody else changes the drafts: of two who ask for the same, the second finds it done. */
  async #alone<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await this.#runner.alone(work)
    } finally {
      void this.run()
    }
  }

  isReleasable(draft: Draft): boolean {
    return draft.kind === 'WITHHELD' && draft.code === 'GAP_TOO_LONG' && this.drafts.includes(draft)
  }

  async #runAll(): Promise<void> {
    while (this.drafts.length > 0) {
      const evse = this.#evse()
      if (evse === undefined) return
      if (this.#port.monotonicMs() < this.#nextTryMs) {
        this.#waitsFor = 'RETRY'
        return
      }
      try {
        const goesOn = await this.#step(evse)
        this.#failure = undefined
        this.#retryMs = 0
        if (!goesOn) return
      } catch (error) {
        this.#failed(evse, error)
        return
      }
    }
  }

  /** Moves the first draft or drafts on; false when they wait. */
  async #step(evse: SignedEvse): Promise<boolean> {
    const head = this.drafts[0]
    if (head === undefined) return false
    this.#waitsFor = undefined
    if (!this.#port.isClockTrusted()) return this.#wait('CLOCK')
    if (head.kind === 'WITHHELD') {
      if (await this.#gapKeepsWaiting(evse, head)) return this.#wait('RELEASE')
      await this.#withhold(evse, head)
      return true
    }
    const verdict = this.#judge(evse, head, this.#signed)
    if (verdict.kind === 'WAIT') return this.#wait(verdict.waitsFor)
    if (verdict.kind === 'WITHHOLD') {
      await this.#withhold(evse, { ...putAside(head), code: verdict.code, message: verdict.message })
      return true
    }
    await this.#signGroup(evse)
    return true
  }

  #wait(reason: QueueWait): false {
    this.#waitsFor = reason
    return false
  }

  #judge(evse: SignedEvse, draft: RecordDraft, signed: SignedState): DraftVerdict {
    const transaction = this.#transaction(draft.transaction)
    const contract = transaction?.contract
    const capacityWh = contract === undefined ? undefined : this.#port.capacityWh(evse.lane, contract)
    const claimedBp = signed.transaction === draft.transaction ? signed.claimedBp : 0
    return judgeDraft(draft, { transaction, capacityWh, claimedBp, nowMs: this.#port.now() }, evse.rules)
  }

  async #signGroup(evse: SignedEvse): Promise<void> {
    const rows: OutboxRow[] = []
    const ops: StoreOp[] = []
    const done: RecordDraft[] = []
    let signed = this.#signed
    let failure: unknown
    for (const draft of this.drafts.slice(0, MAX_GROUP)) {
      if (draft.kind !== 'RECORD') break
      const verdict = this.#judge(evse, draft, signed)
      if (verdict.kind !== 'SIGN') break
      try {
        const row = await this.#port.signRecord(evse.name, verdict.record)
        rows.push({ lane: evse.lane, row })
      } catch (error) {
        failure = error
        break
      }
      signed = { transaction: draft.transaction, claimedBp: verdict.claimedBp, gap: undefined }
      ops.push({ key: draftKey(evse.name, draft), value: undefined })
      done.push(draft)
    }
    if (rows.length > 0) {
      const noted = this.#port.accounts?.signed(
        evse.name,
        done.map((draft, i) => ({ draft, ...rows[i]! })),
      )
      const state = { key: signedKey(evse.name), value: encodeValue(signed) }
      await this.#port.outbox.put(rows, [...ops, state, ...(noted?.ops ?? [])])
      this.#signed = signed
      this.drafts.splice(0, done.length)
      for (const draft of done) this.#port.onSigned(draft)
      noted?.done()
    }
    if (failure === undefined) return
    const refused = this.drafts[0]
    const code =
      refused?.kind === 'RECORD' && isBackfeedError(failure) ? this.#isNever(evse, refused, failure) : undefined
    if (code !== undefined) {
      // It never can be signed, and others wait behind it.
      const message = (failure as BackfeedError).message
      await this.#withhold(evse, { ...putAside(refused as RecordDraft), code, message })
      return
    }
    throw failure
  }

  /** The code under which a refused draft is put aside; undefined while it may still be signed. */
  #isNever(evse: SignedEvse, draft: RecordDraft, refusal: BackfeedError): WithheldCode | undefined {
    if (refusal.retryable) return undefined
    if (refusal.code !== 'ERR_AUTH_EXPIRED') return NEVER_SIGNED.find((each) => each === refusal.code)
    // A certificate is renewed. A slot that ended stays so, but the configuration may name the EVSE's next one.
    const waitedMs = this.#port.now() - draft.end * INTERVAL_SECONDS * 1_000
    const isOver = refusal.details?.reason === 'SLOT_ENDED' && waitedMs >= evse.rules.gapReleaseSeconds * 1_000
    return isOver ? 'ERR_AUTH_EXPIRED' : undefined
  }

  /** A gap is final once something behind it wants to be signed and its time for a person's word is over. */
  async #gapKeepsWaiting(evse: SignedEvse, head: WithheldDraft): Promise<boolean> {
    if (head.code !== 'GAP_TOO_LONG') return false
    if (evse.rules.gapReleaseSeconds === 0) return false
    const { now, store } = this.#port
    if (this.#signed.gap?.number !== head.number) {
      const signed = { ...this.#signed, gap: { number: head.number, sinceMs: now() } }
      await store.write([{ key: signedKey(evse.name), value: encodeValue(signed) }])
      this.#signed = signed
    }
    const sinceMs = this.#signed.gap?.sinceMs ?? 0
    return this.drafts.length === 1 || now() - sinceMs < evse.rules.gapReleaseSeconds * 1_000
  }

  /** The first draft goes to what is put aside. */
  async #withhold(evse: SignedEvse, draft: WithheldDraft): Promise<void> {
    const one = joined(this.#lastWithheld, draft) ?? draft
    const noted = this.#port.accounts?.withheld(evse.name, draft)
    const ops: StoreOp[] = [
      { key: draftKey(evse.name, this.drafts[0]!), value: undefined },
      { key: withheldKey(evse.name, one), value: encodeValue(one) },
      ...(noted?.ops ?? []),
    ]
    await this.#port.store.write(ops)
    this.drafts.shift()
    this.#lastWithheld = one
    this.#port.onWithheld(draft)
    noted?.done()
  }

  #failed(evse: SignedEvse, error: unknown): void {
    const options = { retryable: true, cause: error }
    this.#failure = error instanceof BackfeedError ? error : new BackfeedError('SIGNING_FAILED', String(error), options)
    this.#retryMs = Math.min(LAST_RETRY_MS, Math.max(FIRST_RETRY_MS, this.#retryMs * 2))
    this.#nextTryMs = this.#port.monotonicMs() + this.#retryMs
    this.#waitsFor = 'RETRY'
    this.#port.onFailed(evse.name, error)
  }
}

function putAside(draft: RecordDraft): Omit<WithheldDraft, 'code' | 'message'> {
  const { exportedMilliWh, ...span } = draft
  return { ...span, kind: 'WITHHELD', fromMilliWh: exportedMilliWh, toMilliWh: exportedMilliWh }
}
