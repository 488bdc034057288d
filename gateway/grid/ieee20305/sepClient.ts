import { BackfeedError } from '../../../runtime/errors.ts'
import { askHttp, type HttpAnswer, shownUrl } from '../http.ts'
import { LIST_PAGE_ENTRIES, MAX_LIST_ENTRIES, MAX_XML_BYTES } from '../limits.ts'
import type { Identity } from './identity.ts'
import { listPageOf } from './resources.ts'
import { invalid, parseXml, type XmlElement } from './xml.ts'

export const SEP_MEDIA_TYPE = 'application/sep+xml'

export interface SepList {
  readonly entries: readonly XmlElement[]
  /** Seconds. */
  readonly pollRate: number | undefined
}

/** What can be asked of one IEEE 2030.5 server. Links lead to the same server only: another has another certificate to be trusted. */
export class SepClient {
  readonly #base: URL
  readonly #identity: Identity | undefined
  readonly #timeoutMs: number
  readonly #signal: AbortSignal

  constructor(parts: { base: URL; identity: Identity | undefined; timeoutMs: number; signal: AbortSignal }) {
    this.#base = parts.base
    this.#identity = parts.identity
    this.#timeoutMs = parts.timeoutMs
    this.#signal = parts.signal
  }

  async get(href: string): Promise<XmlElement> {
    const url = this.#resolve(href)
    const answer = await this.#ask('GET', url)
    if (answer.status !== 200) throw refused('GET', url, answer)
    return parseXml(answer.body)
  }

  /** All pages of a list (`s`: first entry, `l`: how many). A list that changes while it is read is read on; the next poll mends it. */
  async list(href: string, entry: string): Promise<SepList> {
    const entries: XmlElement[] = []
    for (;;) {
      const url = this.#resolve(href)
      url.searchParams.set('s', String(entries.length))
      url.searchParams.set('l', String(LIST_PAGE_ENTRIES))
      const page = listPageOf(await this.get(url.href), entry)
      if (page.entries.length !== page.results) {
        throw invalid(`${entry}List says ${page.results} results and has ${page.entries.length}`)
      }
      entries.push(...page.entries)
      if (entries.length > MAX_LIST_ENTRIES) throw invalid(`${entry}List has more than ${MAX_LIST_ENTRIES} entries`)
      if (page.results === 0 || entries.length >= page.all) return { entries, pollRate: page.pollRate }
    }
  }

  async post(href: string, xml: string): Promise<void> {
    const url = this.#resolve(href)
    const answer = await this.#ask('POST', url, xml)
    if (answer.status < 200 || answer.status > 299) throw refused('POST', url, answer)
  }

  #resolve(href: string): URL {
    let url: URL
    try {
      url = new URL(href, this.#base)
    } catch (cause) {
      throw invalid(`"${href}" is no address`, cause)
    }
    if (url.origin !== this.#base.origin) {
      throw new BackfeedError('GRID_HREF_FOREIGN', `a link leads to ${url.origin}, away from ${this.#base.origin}`, {
        retryable: true,
      })
    }
    return url
  }

  #ask(method: 'GET' | 'POST', url: URL, body?: string): Promise<HttpAnswer> {
    return askHttp({
      method,
      url,
      headers: {
        accept: SEP_MEDIA_TYPE,
        ...(body === undefined ? {} : { 'content-type': SEP_MEDIA_TYPE }),
      },
      timeoutMs: this.#timeoutMs,
      maxBytes: MAX_XML_BYTES,
      signal: this.#signal,
      ...(body === undefined ? {} : { body }),
      ...(this.#identity === undefined ? {} : { agent: this.#identity.agent }),
    })
  }
}

function refused(method: string, url: URL, answer: HttpAnswer): BackfeedError {
  const { status } = answer
  return new BackfeedError('GRID_REQUEST_REFUSED', `${method} ${shownUrl(url)} was answered with status ${status}`, {
    retryable: true,
    details: { status },
  })
}
