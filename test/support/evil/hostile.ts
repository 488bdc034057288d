import { writeU32 } from '../../../protocol/bigEndian.ts'
import { SIGNED_RECORD_BYTES } from '../../../protocol/record.ts'
import type { Fleet } from '../fleet.ts'
import { P256_LAYOUT } from '../../../protocol/scheme.ts'

export interface HostileBody {
  readonly name: string
  readonly body: Uint8Array
}

/** Chunks that no honest sequencer would post, and that L1 must be able to judge all the same (docs/protocol.md §14). */
export function hostileBodies(fleet: Fleet): HostileBody[] {
  const row = (changes: Parameters<Fleet['next']>[1]): Uint8Array => fleet.sign({ ...fleet.next(0), ...changes }, 0)
  const filled = (record: Uint8Array): Uint8Array => {
    const body = new Uint8Array(P256_LAYOUT.bodyBytes)
    for (let at = 0; at < body.length; at += SIGNED_RECORD_BYTES) body.set(record, at)
    return body
  }
  const mixed = fleet.rows(22)
  writeU32(mixed, 0, 0x00100000)
  writeU32(mixed, SIGNED_RECORD_BYTES, 0x000fffff)
  return [
    { name: 'all 0xff', body: new Uint8Array(P256_LAYOUT.bodyBytes).fill(0xff) },
    { name: 'EVSE slots out of range', body: filled(row({ evse: 0xffffffff })) },
    { name: 'contract slots out of range', body: filled(row({ contract: 0xffffffff })) },
    { name: 'the first slot beyond the tree, and the last one in it', body: mixed },
    { name: 'start 2^32 - 1, 255 intervals', body: filled(row({ start: 0xffffffff, intervals: 255 })) },
    { name: 'no interval, no energy', body: filled(row({ intervals: 0, energyWh: 0 })) },
    { name: 'one record 22 times', body: filled(row({})) },
    { name: 'signature of zeros', body: filled(Buffer.concat([row({}).subarray(0, 24), Buffer.alloc(64)])) },
    { name: 'empty', body: new Uint8Array(P256_LAYOUT.bodyBytes) },
  ]
}
