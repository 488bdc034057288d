import { readFile, stat } from 'node:fs/promises'
import { BackfeedError } from '../../../runtime/errors.ts'
import type { Logger } from '../../../runtime/log.ts'
import type { GridMetrics } from '../gridMetrics.ts'
import { askHttp, shownUrl } from '../http.ts'
import { KEPT_AHEAD_SECONDS, KEPT_PAST_SECONDS, MAX_FEED_BYTES } from '../limits.ts'
import type { GridSource } from '../model/gridSource.ts'
import { type Answer, PolledSource } from '../polledSource.ts'
import type { FeedConfig } from './config.ts'
import { type FeedPrices, readFeedPrices } from './feedPrices.ts'
import { TimeZone } from './zonedTime.ts'

export interface FeedDeps {
  readonly log: Logger
  readonly metrics: GridMetrics
  readonly now: () => number
}

/** Prices of a CSV file or URL, looked at every `pollSeconds`. A file or text that has not changed is not read again. */
export function openPriceFeed(config: FeedConfig, deps: FeedDeps): GridSource {
  const zone = new TimeZone(config.timeZone)
  let last: { key: string; prices: FeedPrices } | undefined
  const fetchText = config.url === undefined ? fileText(config.file ?? '') : urlText(config, new URL(config.url))

  const ask = async (signal: AbortSignal): Promise<Answer> => {
    const fetched = await fetchText(signal, last?.key)
    if (fetched !== 'unchanged') {
      const format = { ...config, zone, intervalSeconds: config.intervalMinutes * 60 }
      last = { key: fetched.key, prices: readFeedPrices(fetched.text, format, config.file ?? config.url ?? '') }
    }
    const { intervals, rows, flaws } = last?.prices ?? EMPTY
    const nowSeconds = deps.now() / 1000
    const prices = intervals.filter(
      ({ start, end }) => end > nowSeconds - KEPT_PAST_SECONDS && start < nowSeconds + KEPT_AHEAD_SECONDS,
    )
    return {
      picture: { isKnown: true, events: [], prices },
      nextMs: config.pollSeconds * 1000,
      problems:
        flaws.count === 0
          ? []
          : [{ code: 'PRICE_ROWS_REFUSED', message: `${flaws.count} rows give no price; the first: ${flaws.first}` }],
      figures: { rows },
    }
  }
  return new PolledSource({
    name: config.name,
    ask,
    retryMs: Math.min(5_000, config.pollSeconds * 1000),
    maxRetryMs: config.pollSeconds * 1000,
    staleMs: config.staleSeconds * 1000,
    ...deps,
  })
}

const EMPTY: FeedPrices = { intervals: [], rows: 0, flaws: { count: 0, first: undefined } }

/** `key` changes with the text; a text with the key that is known already need not be fetched. */
type FetchText = (signal: AbortSignal, key: string | undefined) => Promise<{ key: string; text: string } | 'unchanged'>

function fileText(path: string): FetchText {
  return async (_, known) => {
    try {
      const { mtimeMs, size, ino } = await stat(path)
      if (size > MAX_FEED_BYTES) throw new Error(`it has ${size} bytes, more than ${MAX_FEED_BYTES}`)
      const key = `${mtimeMs} ${size} ${ino}`
      return key === known ? 'unchanged' : { key, text: await readFile(path, 'utf8') }
    } catch (cause) {
      throw new BackfeedError('PRICE_FEED_UNREADABLE', `cannot read the price file ${path}`, { retryable: true, cause })
    }
  }
}

function urlText(config: FeedConfig, url: URL): FetchText {
  return async (signal, known) => {
    const headers: Record<string, string> = { accept: 'text/csv, text/plain;q=0.5' }
    if (config.authorizationFile !== undefined) {
      headers.authorization = (await readFile(config.authorizationFile, 'utf8')).trim()
    }
    if (known?.startsWith('etag ') === true) headers['if-none-match'] = known.slice('etag '.length)
    const { timeoutMs } = config
    const answer = await askHttp({ method: 'GET', url, headers, timeoutMs, maxBytes: MAX_FEED_BYTES, signal })
    if (answer.status === 304) return 'unchanged'
    if (answer.status !== 200) {
      throw new BackfeedError('PRICE_FEED_UNREADABLE', `${shownUrl(url)} answered with status ${answer.status}`, {
        retryable: true,
      })
    }
    const { etag } = answer.headers
    return { key: etag === undefined ? '' : `etag ${etag}`, text: answer.body.toString('utf8') }
  }
}
