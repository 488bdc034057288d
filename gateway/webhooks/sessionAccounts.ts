import type { WithheldDraft } from '../../evse/metering/draft.ts'
import type { Transaction } from '../../evse/metering/meterState.ts'
import type { AccountEntry, SignedDraft, TransactionAccounts } from '../../evse/metering/transactionAccounts.ts'
import type { StoreOp } from '../../evse/store/edgeStore.ts'
import { encodeJson } from '../../runtime/webhooks/webhookStore.ts'
import type { Directory } from '../fleet/directory.ts'
import {
  type AccountRecord,
  type AccountWithheld,
  accountOf,
  type EndedTransaction,
  endedKey,
  type Mark,
  markKey,
  recordHex,
  recordKey,
  withheldPieceKey,
} from './accountStore.ts'

export interface SessionAccountsSettings {
  readonly directory: Directory
  /** A transaction ended, or something of its energy was decided; called when that is durable. */
  readonly onChanged: (account: string, ended?: EndedTransaction) => void
}

/** What metering and intake write beside their own, so that it can be told of sessions later. Decides nothing and reads nothing. */
export class SessionAccounts implements TransactionAccounts {
  readonly #settings: SessionAccountsSettings
  /** Transactions that were not counted from their first record on. */
  #partial: ReadonlySet<string> = new Set()

  constructor(settings: SessionAccountsSettings) {
    this.#settings = settings
  }

  setPartial(accounts: ReadonlySet<string>): void {
    this.#partial = accounts
  }

  ended(name: string, transactions: readonly Transaction[]): AccountEntry {
    const { directory, onChanged } = this.#settings
    const evse = directory.evse(name)
    const all = transactions.flatMap((transaction) => {
      if (evse === undefined) return []
      const { id, contract = null, startMs, lastEventMs: endMs, end } = transaction
      const account = accountOf(name, id)
      const ended: EndedTransaction = {
        evse: name,
        lane: evse.lane,
        slot: evse.slot,
        station: evse.ocpp?.station ?? null,
        stationEvse: evse.ocpp?.evseId ?? null,
        transaction: id,
        contract,
        startMs,
        endMs,
        end,
        complete: !this.#partial.has(account),
        isClosedTold: false,
      }
      return [{ account, ended }]
    })
    return {
      ops: all.map(({ account, ended }) => ({ key: endedKey(account), value: encodeJson(ended) })),
      done: () => {
        for (const { account, ended } of all) onChanged(account, ended)
      },
    }
  }

  signed(evse: string, drafts: readonly SignedDraft[]): AccountEntry {
    const ops = drafts.flatMap(({ draft, lane, row }): StoreOp[] => {
      const { transaction } = draft
      const record: AccountRecord = { lane, record: recordHex(row) }
      return [
        mark(lane, row, { evse, transaction }),
        { key: recordKey(accountOf(evse, transaction), row), value: encodeJson(record) },
      ]
    })
    return { ops, done: () => this.#changed(evse, new Set(drafts.map(({ draft }) => draft.transaction))) }
  }

  withheld(evse: string, draft: WithheldDraft): AccountEntry {
    const { transaction, code, start, end, energyWh } = draft
    if (transaction === undefined) return { ops: [], done: () => {} }
    const piece: AccountWithheld = { code, start, end, energyWh }
    const key = withheldPieceKey(accountOf(evse, transaction), draft)
    return { ops: [{ key, value: encodeJson(piece) }], done: () => this.#changed(evse, new Set([transaction])) }
  }

  /** Of rows that an EVSE signed by itself: for the write that takes them in. */
  taken(evse: string, lane: number, rows: readonly Uint8Array[]): StoreOp[] {
    return rows.map((row) => mark(lane, row, { evse, transaction: undefined }))
  }

  #changed(evse: string, transactions: ReadonlySet<string>): void {
    for (const transaction of transactions) this.#settings.onChanged(accountOf(evse, transaction))
  }
}

function mark(lane: number, row: Uint8Array, of: Pick<Mark, 'evse' | 'transaction'>): StoreOp {
  const value: Mark = { ...of, lane, record: recordHex(row) }
  return { key: markKey(lane, row), value: encodeJson(value) }
}
