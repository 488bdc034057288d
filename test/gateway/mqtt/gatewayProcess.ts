import { setTimeout as sleep } from 'node:timers/promises'
import type { BrokerConfig } from '../../../evse/mqtt/config.ts'
import { Operator } from './operator.ts'
import { openSite } from './site.ts'

// A gateway's MQTT side as a process of its own, to be killed. Says on its standard output how far it is, a word a line.

export interface ProcessSettings {
  readonly broker: BrokerConfig
  readonly folder: string
  readonly evses: number
  /** Where it gets stuck: before rows are durable, after that but before the broker is told, or nowhere. */
  readonly stuck: 'before' | 'after' | 'never'
}

const { broker, folder, evses, stuck } = JSON.parse(process.argv[2]!) as ProcessSettings
const say = (word: string): void => {
  process.stdout.write(`${word}\n`)
}
const operator = new Operator()
const site = await openSite({
  broker,
  folder,
  evses,
  ...(stuck === 'never' && { operator }),
  wrap: (box) => ({
    onAnswered: (listener) => box.onAnswered(listener),
    find: (lane, record) => box.find(lane, record),
    put: async (rows, also) => {
      if (stuck !== 'before') await box.put(rows, also)
      say(`put ${rows.length}`)
      if (stuck !== 'never') await sleep(600_000)
    },
  }),
})
await site.source.whenUp(60_000)
say('up')
