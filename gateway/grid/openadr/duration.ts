/** Seconds of an ISO 8601 duration of weeks, days, hours, minutes and seconds; `P9999Y` is endless. Undefined for others: years and months
 * have no length of their own. */
export function parseDuration(text: string): number | undefined {
  if (text === 'P9999Y') return Number.POSITIVE_INFINITY
  const match = /^P(?:(\d{1,6})W)?(?:(\d{1,6})D)?(?:T(?:(\d{1,7})H)?(?:(\d{1,8})M)?(?:(\d{1,9})(?:\.0+)?S)?)?$/.exec(
    text,
  )
  if (match === null || text.endsWith('P') || text.endsWith('T')) return undefined
  const [weeks = 0, days = 0, hours = 0, minutes = 0, seconds = 0] = match.slice(1).map((part) => Number(part ?? 0))
  return ((weeks * 7 + days) * 24 + hours) * 3600 + minutes * 60 + seconds
}

/** Seconds of an RFC 3339 time. Undefined without an offset: whose local time it is nobody says. */
export function parseInstant(text: string): number | undefined {
  if (!/^\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d(:\d\d(\.\d+)?)?([Zz]|[+-]\d\d:?\d\d)$/.test(text)) return undefined
  const ms = Date.parse(text.replace(' ', 'T'))
  return Number.isNaN(ms) ? undefined : Math.floor(ms / 1000)
}
