import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { validateXML } from 'xmllint-wasm'
import { sharedData } from '../../../support/sharedData.ts'

export const SEP_SCHEMA = 'grid/sep.xsd'

/** Fails with the schema's own words unless every document is valid by IEEE 2030.5's schema. */
export async function assertValid(documents: readonly string[]): Promise<void> {
  assert.ok(documents.length > 0, 'nothing to validate')
  const schema = await readFile(sharedData(SEP_SCHEMA), 'utf8')
  const distinct = [...new Set(documents)]
  const xml = distinct.map((contents, i) => ({ fileName: `message${i}.xml`, contents }))
  const result = await validateXML({ xml, schema, maxMemoryPages: 4_096 })
  assert.deepEqual(
    result.errors.map(({ rawMessage }) => rawMessage),
    [],
  )
  assert.equal(result.valid, true)
}
