import { XMLParser, XMLValidator } from 'fast-xml-parser'
import { BackfeedError } from '../../../runtime/errors.ts'
import { MAX_XML_BYTES, MAX_XML_DEPTH, MAX_XML_ELEMENTS, MAX_XML_TAG_CHARS } from '../limits.ts'

export const SEP_NAMESPACE = 'urn:ieee:std:2030.5:ns'
const XSI_NAMESPACE = 'http://www.w3.org/2001/XMLSchema-instance'

export interface XmlElement {
  readonly namespace: string
  /** Without prefix. */
  readonly name: string
  /** By name; of those with a prefix only `xsi:type` is kept, under that name and without the type's own prefix. */
  readonly attributes: ReadonlyMap<string, string>
  readonly children: readonly XmlElement[]
  /** Trimmed. */
  readonly text: string
}

const parser = new XMLParser({
  preserveOrder: true,
  ignoreAttributes: false,
  attributeNamePrefix: '',
  parseTagValue: false,
  parseAttributeValue: false,
  trimValues: true,
  processEntities: false,
  ignoreDeclaration: true,
  ignorePiTags: true,
  maxNestedTags: MAX_XML_DEPTH,
})

/**
 * One document of at most 1 MiB, 32 levels and 50 000 elements, UTF-8. There are no document types and no entities but XML's own five:
 * nothing is expanded, nothing is fetched. @throws BackfeedError GRID_MESSAGE_INVALID
 */
export function parseXml(bytes: Uint8Array): XmlElement {
  if (bytes.length > MAX_XML_BYTES) throw invalid(`more than ${MAX_XML_BYTES} bytes`)
  let text: string
  try {
    text = new TextDecoder('utf-8', { fatal: true }).decode(bytes)
  } catch (cause) {
    throw invalid('not UTF-8', cause)
  }
  if (/<!(DOCTYPE|ENTITY|ELEMENT|ATTLIST)/i.test(text)) throw invalid('a document type is not taken')
  requireShape(text)
  const verdict = XMLValidator.validate(text)
  if (verdict !== true) throw invalid(`not well-formed: ${verdict.err.msg}, line ${verdict.err.line}`)
  let nodes: unknown
  try {
    nodes = parser.parse(text)
  } catch (cause) {
    throw invalid('cannot be parsed', cause)
  }
  const roots = elementsOf(nodes, new Map([['xml', 'http://www.w3.org/XML/1998/namespace']]), { elements: 0 })
  if (roots.children.length !== 1) throw invalid(`${roots.children.length} root elements`)
  return roots.children[0]!
}

/**
 * Counts tags and depth before anything is built of them, in one pass: comments and CDATA are skipped, and one that does not end is refused, since
 * looking for its end again from every place after it would take minutes.
 */
function requireShape(text: string): void {
  let depth = 0
  let count = 0
  for (let at = text.indexOf('<'); at >= 0; at = text.indexOf('<', at)) {
    const skipped = SKIPPED.find(([start]) => text.startsWith(start, at))
    const end = text.indexOf(skipped?.[1] ?? '>', at)
    if (end < 0) throw invalid('a tag or comment does not end')
    if (skipped === undefined) {
      if (end - at > MAX_XML_TAG_CHARS) throw invalid(`a tag of more than ${MAX_XML_TAG_CHARS} characters`)
      if (text[at + 1] === '/') depth--
      else {
        if (++count > MAX_XML_ELEMENTS) throw invalid(`more than ${MAX_XML_ELEMENTS} elements`)
        if (text[end - 1] !== '/' && ++depth > MAX_XML_DEPTH) throw invalid(`nested deeper than ${MAX_XML_DEPTH}`)
      }
    }
    at = end
  }
}

const SKIPPED = [
  ['<!--', '-->'],
  ['<![CDATA[', ']]>'],
  ['<?', '?>'],
] as const

type Scope = ReadonlyMap<string, string>

/** The shape of fast-xml-parser's `preserveOrder`: a list of `{tag: children, ':@': attributes}` and `{'#text': …}`. */
function elementsOf(
  nodes: unknown,
  scope: Scope,
  budget: { elements: number },
): { children: XmlElement[]; text: string } {
  const children: XmlElement[] = []
  let text = ''
  for (const node of Array.isArray(nodes) ? nodes : []) {
    const entries = Object.entries(node as Record<string, unknown>)
    const raw = (node as Record<string, unknown>)[':@']
    for (const [tag, inner] of entries) {
      if (tag === ':@') continue
      if (tag === '#text') {
        text += String(inner)
        continue
      }
      if (++budget.elements > MAX_XML_ELEMENTS) throw invalid(`more than ${MAX_XML_ELEMENTS} elements`)
      children.push(elementOf(tag, inner, attributesOf(raw), scope, budget))
    }
  }
  return { children, text: decodeEntities(text).trim() }
}

function elementOf(
  tag: string,
  inner: unknown,
  attributes: readonly (readonly [string, string])[],
  outer: Scope,
  budget: { elements: number },
): XmlElement {
  const scope = new Map(outer)
  for (const [name, value] of attributes) {
    if (name === 'xmlns') scope.set('', value)
    else if (name.startsWith('xmlns:')) scope.set(name.slice('xmlns:'.length), value)
  }
  const kept = new Map<string, string>()
  for (const [name, value] of attributes) {
    const [prefix, local] = splitName(name)
    if (prefix === '') kept.set(name, value)
    else if (local === 'type' && scope.get(prefix) === XSI_NAMESPACE) kept.set('xsi:type', splitName(value)[1])
  }
  const [prefix, name] = splitName(tag)
  const namespace = scope.get(prefix)
  if (namespace === undefined && prefix !== '') throw invalid(`prefix ${prefix} is not declared`)
  return { namespace: namespace ?? '', name, attributes: kept, ...elementsOf(inner, scope, budget) }
}

function attributesOf(raw: unknown): (readonly [string, string])[] {
  if (typeof raw !== 'object' || raw === null) return []
  return Object.entries(raw).map(([name, value]) => [name, decodeEntities(String(value))] as const)
}

function splitName(name: string): [prefix: string, local: string] {
  const colon = name.indexOf(':')
  return colon < 0 ? ['', name] : [name.slice(0, colon), name.slice(colon + 1)]
}

const ENTITIES: Readonly<Record<string, string>> = { lt: '<', gt: '>', amp: '&', quot: '"', apos: "'" }

function decodeEntities(text: string): string {
  return text.replace(/&(#x[0-9a-fA-F]{1,6}|#\d{1,7}|\w+);/g, (whole, name: string) => {
    if (!name.startsWith('#')) {
      const value = ENTITIES[name]
      if (value === undefined) throw invalid(`entity ${whole} is not known`)
      return value
    }
    const code = name.startsWith('#x') ? Number.parseInt(name.slice(2), 16) : Number(name.slice(1))
    if (code === 0 || code > 0x10_ffff) throw invalid(`${whole} is no character`)
    return String.fromCodePoint(code)
  })
}

export function escapeXml(text: string): string {
  return text.replace(/[<>&"']/g, (char) => `&${{ '<': 'lt', '>': 'gt', '&': 'amp', '"': 'quot', "'": 'apos' }[char]};`)
}

export function invalid(message: string, cause?: unknown): BackfeedError {
  return new BackfeedError('GRID_MESSAGE_INVALID', `IEEE 2030.5 message: ${message}`, { retryable: true, cause })
}
