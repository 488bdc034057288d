import { privateKeyToAccount } from 'viem/accounts'
import { bytesToHex, hexToBytes } from 'viem'
import type { AnsweredRecord } from '../../../client/recordClient.ts'
import { ReceiptVerifier } from '../../../client/receiptVerifier.ts'
import type { LevelOutbox } from '../../../evse/outbox/levelOutbox.ts'
import { microBatchDigest, type Receipt, receiptDomain } from '../../../protocol/receipt.ts'
import { ReceiptTree, receiptLeaves } from '../../../protocol/receiptTree.ts'
import { decodeRecord } from '../../../protocol/record.ts'
import { Outcome } from '../../../protocol/outcome.ts'
import { DUPLICATE } from '../../../protocol/wire.ts'

export const DEPLOYMENT = { chainId: 31_337, rollup: '0x00000000000000000000000000000000000000aa' } as const
const ACCOUNT = privateKeyToAccount('0x59c6995e998f97a5a0044966f0945389dc9e86dae88c7a8412f4603b6b78690d')
const DOMAIN = receiptDomain(BigInt(DEPLOYMENT.chainId), DEPLOYMENT.rollup)

export function trustedVerifier(): ReceiptVerifier {
  return new ReceiptVerifier({
    chainId: BigInt(DEPLOYMENT.chainId),
    rollup: DEPLOYMENT.rollup,
    operatorOf: () => ACCOUNT.address,
  })
}

/** A sequencer as the gateway's delivery sees it: takes each record once, signs a receipt, and knows it again. */
export class Operator {
  /** By record: energy that was credited. */
  readonly credited = new Map<string, number>()
  /** Rows that came, repeats included. */
  asked = 0
  #positions = 0
  readonly #known = new Map<string, AnsweredRecord>()

  async answer(lane: number, row: Uint8Array): Promise<AnsweredRecord> {
    this.asked++
    const key = Buffer.from(row.subarray(0, 24)).toString('hex')
    const known = this.#known.get(key)
    if (known !== undefined) return { ...known, code: DUPLICATE }
    const position = this.#positions++
    const root = new ReceiptTree(receiptLeaves(row, row.length)).root
    const micro = { lane, firstPosition: position, count: 1, time: Math.floor(Date.now() / 1000), root }
    const signature = hexToBytes(await ACCOUNT.sign({ hash: bytesToHex(microBatchDigest(DOMAIN, micro)) }))
    const receipt: Receipt = { ...micro, signature, position, row: Uint8Array.from(row), path: [] }
    const { energyWh } = decodeRecord(row)
    const answer: AnsweredRecord = { code: Outcome.SETTLED, position, amountMicro: energyWh * 100, receipt }
    this.#known.set(key, answer)
    this.credited.set(key, energyWh)
    return answer
  }

  get creditedWh(): number {
    return [...this.credited.values()].reduce((sum, wh) => sum + wh, 0)
  }

  /** Delivers whatever is put into the box. Returns the way to stop, which waits for what is under way. */
  deliver(box: LevelOutbox): () => Promise<void> {
    let running: Promise<void> | undefined
    let isStopped = false
    const run = async (): Promise<void> => {
      await null // `running` is set before anything can end it
      for (let queues = box.waiting(); queues.length > 0 && !isStopped; queues = box.waiting()) {
        for (const queue of queues) {
          const rows = await box.page(queue, 256)
          const answered = []
          for (const { lane, row } of rows) answered.push({ lane, row, answer: await this.answer(lane, row) })
          await box.answer(answered)
        }
      }
      running = undefined
    }
    const poke = (): void => {
      if (!isStopped) running ??= run()
    }
    const unlisten = box.onPut(poke)
    poke()
    return async () => {
      isStopped = true
      unlisten()
      await running
    }
  }
}
