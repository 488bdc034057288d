import { existsSync, readFileSync } from 'node:fs'
import { sharedData } from './sharedData.ts'

export interface WycheproofTest {
  readonly tcId: number
  readonly comment: string
  readonly msg: string
  readonly sig: string
  readonly result: 'valid' | 'invalid' | 'acceptable'
}

export interface WycheproofGroup {
  readonly publicKey: { readonly uncompressed: string }
  readonly tests: readonly WycheproofTest[]
}

/** Undefined when the file is absent. */
export function wycheproofGroups(name: string): readonly WycheproofGroup[] | undefined {
  const path = sharedData(`vectors/${name}`)
  if (!existsSync(path)) return undefined
  const parsed = JSON.parse(readFileSync(path, 'utf8')) as { testGroups: WycheproofGroup[] }
  return parsed.testGroups
}

export const wycheproofMissing = `Wycheproof vectors not found in ${sharedData('vectors')}: set BACKFEED_SHARED`
