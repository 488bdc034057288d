import { XMLParser } from 'fast-xml-parser'
import { BackfeedError, ExitCode } from '../../runtime/errors.ts'
import { MAX_XML_BYTES } from './limits.ts'
import type { ReceivedValue } from './signedValue.ts'

/**
 * The values of a file as transparency software reads it: `<values><value><signedData>…</signedData><publicKey>…</publicKey></value></values>`.
 * @throws BackfeedError OCMF_UNREADABLE
 */
export function readTransparencyXml(text: string): ReceivedValue[] {
  if (text.length > MAX_XML_BYTES) throw unreadable(`${text.length} characters are too many`)
  // Text must stay as it is: numbers, spaces and all. Entities of its own a file does not need.
  const parser = new XMLParser({
    ignoreAttributes: false,
    attributeNamePrefix: '@',
    parseTagValue: false,
    parseAttributeValue: false,
    trimValues: false,
    alwaysCreateTextNode: true,
    isArray: (name) => name === 'value',
  })
  let tree: unknown
  try {
    tree = parser.parse(text.replace(/^\uFEFF/, ''))
  } catch (cause) {
    throw unreadable('it is no XML', cause)
  }
  const values = childrenOf(childOf(tree, 'values'), 'value')
  if (values.length === 0) throw unreadable('it holds no <value>')
  return values.map((value) => {
    const data = textOf(childOf(value, 'signedData'))
    if (data === undefined) throw unreadable('a <value> has no <signedData>')
    const format = attributeOf(childOf(value, 'signedData'), 'format')
    return { data, encodingMethod: format, publicKey: textOf(childOf(value, 'publicKey')) }
  })
}

function childOf(node: unknown, name: string): unknown {
  return typeof node === 'object' && node !== null ? (node as Record<string, unknown>)[name] : undefined
}

function childrenOf(node: unknown, name: string): unknown[] {
  const children = childOf(node, name)
  return Array.isArray(children) ? children : []
}

function attributeOf(node: unknown, name: string): string | undefined {
  const value = childOf(node, `@${name}`)
  return typeof value === 'string' ? value : undefined
}

function textOf(node: unknown): string | undefined {
  const text = childOf(node, '#text')
  return typeof text === 'string' ? text : undefined
}

function unreadable(message: string, cause?: unknown): BackfeedError {
  return new BackfeedError('OCMF_UNREADABLE', message, { exitCode: ExitCode.usage, cause })
}
