import type { MeteredEvse } from '../../evse/metering/config.ts'
import type { Directory, EdgeEvse } from './directory.ts'
import type { FleetTables } from './tables.ts'

/** EVSEs as metering knows them: rated power from L1, and their own values over the section's. The same object as long as nothing changed. */
export function meteredEvses(tables: FleetTables, directory: Directory): (name: string) => MeteredEvse | undefined {
  const own = new Map(tables.evses.map(({ name, metering }) => [name, metering]))
  const known = new WeakMap<EdgeEvse, MeteredEvse>()
  return (name) => {
    const evse = directory.evse(name)
    if (evse === undefined) return undefined
    let metered = known.get(evse)
    if (metered === undefined) {
      const { lane, slot, ratedW } = evse
      const metering = definedOnly(own.get(name) ?? {})
      metered = { name, lane, slot, ratedW, metering }
      known.set(evse, metered)
    }
    return metered
  }
}

type Defined<T> = { [K in keyof T]?: Exclude<T[K], undefined> }

function definedOnly<T extends object>(values: T): Defined<T> {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined)) as Defined<T>
}
