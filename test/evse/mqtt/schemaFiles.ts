import { z } from 'zod'
import { schemas } from '../../../evse/mqtt/payloads.ts'
import { TOPIC_ROOT } from '../../../evse/mqtt/topics.ts'

/** JSON Schemas of all payloads, as they are checked in. */
export function schemaFiles(): { name: string; url: URL; text: string }[] {
  return Object.entries(schemas).map(([name, schema]) => {
    const topic = `${TOPIC_ROOT}/{lane}/{evse}/${name.replace('-', '/')}`
    const text = JSON.stringify({ title: topic, ...z.toJSONSchema(schema, { io: 'input' }) }, undefined, 2)
    return { name, url: new URL(`../../../evse/mqtt/schemas/${name}.json`, import.meta.url), text: `${text}\n` }
  })
}
