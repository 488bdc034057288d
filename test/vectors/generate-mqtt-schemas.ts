import { mkdirSync, writeFileSync } from 'node:fs'
import { schemaFiles } from '../evse/mqtt/schemaFiles.ts'

// Writes evse/mqtt/schemas/*.json: node test/vectors/generate-mqtt-schemas.ts

mkdirSync(new URL('../../evse/mqtt/schemas/', import.meta.url), { recursive: true })
for (const { url, text } of schemaFiles()) writeFileSync(url, text)
