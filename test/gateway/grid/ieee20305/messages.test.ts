import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { test } from 'node:test'
import { child, csipAusChild } from '../../../../gateway/grid/ieee20305/fields.ts'
import { parseNotification } from '../../../../gateway/grid/ieee20305/notification.ts'
import { derControlOf, listPageOf, setPointsOf } from '../../../../gateway/grid/ieee20305/resources.ts'
import { responseXml } from '../../../../gateway/grid/ieee20305/responses.ts'
import { escapeXml, parseXml, SEP_NAMESPACE } from '../../../../gateway/grid/ieee20305/xml.ts'
import { isBackfeedError } from '../../../../runtime/errors.ts'
import { fc } from '../../../support/property.ts'
import { sharedData, skipWithout } from '../../../support/sharedData.ts'
import { assertValid, SEP_SCHEMA } from '../support/schema.ts'

const bytes = (text: string): Uint8Array => Buffer.from(text)
const refuses = (text: string | Uint8Array): void =>
  assert.throws(
    () => parseXml(typeof text === 'string' ? bytes(text) : text),
    (error) => isBackfeedError(error, 'GRID_MESSAGE_INVALID'),
  )

test('real notifications', { skip: skipWithout('grid/notification.xml', 'grid/notification_doe.xml') }, async () => {
  const reading = parseNotification(await readFile(sharedData('grid/notification.xml')))
  assert.equal(reading.subscribedResource, '/upt/0/mr/4/r')
  assert.equal(reading.resourceType, 'Reading')
  assert.equal(reading.status, 0)

  const envelope = parseNotification(await readFile(sharedData('grid/notification_doe.xml')))
  assert.equal(envelope.resourceType, 'DERControlList')
  const page = listPageOf(envelope.resource!, 'DERControl')
  assert.equal(page.entries.length, 1)
  const [entry] = page.entries
  const control = derControlOf(entry!)
  // An extension's limits; a status that the standard does not know is read, and refused later.
  assert.equal(control.status, 9)
  assert.deepEqual(control.interval, { start: 456, end: 456 + 789 })
  assert.deepEqual(control.setPoints, [
    ['exportLimitW', 2_000],
    ['generationLimitW', 3_000],
  ])
  const base = child(entry!, 'DERControlBase')!
  assert.deepEqual(setPointsOf(base), control.setPoints)
  assert.equal(csipAusChild(base, 'opModImpLimW')?.namespace, 'https://csipaus.org/ns/v1.3')
})

test('subscriptions are well-formed for us too', { skip: skipWithout('grid/subscription_condition.xml') }, async () => {
  const root = parseXml(await readFile(sharedData('grid/subscription_condition.xml')))
  assert.equal(child(root, 'subscribedResource')?.text, '/upt/0/mr/4/r')
})

test('texts survive being written and read', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme' }), (drawn) => {
      // Characters that XML cannot hold are no texts.
      const text = drawn
        .replace(/[^\t\n\x20-\ud7ff\ue000-\ufffd\u{10000}-\u{10ffff}]/gu, '')
        .replace(/\s+/g, ' ')
        .trim()
      const root = parseXml(bytes(`<a xmlns="${SEP_NAMESPACE}" n="${escapeXml(text)}"><b>${escapeXml(text)}</b></a>`))
      assert.equal(root.children[0]?.text, text)
      assert.equal(root.attributes.get('n')?.trim(), text)
    }),
  )
})

test('namespaces: another prefix is the same element, another namespace is not', () => {
  const root = parseXml(bytes(`<s:a xmlns:s="${SEP_NAMESPACE}" xmlns="urn:x"><s:b>1</s:b><b>2</b></s:a>`))
  assert.equal(child(root, 'b')?.text, '1')
  refuses('<a><p:b/></a>')
})

test('hostile XML is refused before it is built', () => {
  refuses('<!DOCTYPE a SYSTEM "file:///etc/passwd"><a/>')
  refuses('<!DOCTYPE a [<!ENTITY x "1">]><a>&x;</a>')
  refuses('<a>&x;</a>')
  refuses('<a>&#0;</a>')
  refuses('<a>&#x110000;</a>')
  refuses('<a/><b/>')
  refuses('')
  refuses('<a')
  refuses('<a><b></a></b>')
  refuses(Buffer.from([0x3c, 0x61, 0x3e, 0xff, 0xfe, 0x3c, 0x2f, 0x61, 0x3e]))
  refuses(`${'<a>'.repeat(33)}${'</a>'.repeat(33)}`)
  refuses(`<a>${'<b/>'.repeat(50_001)}</a>`)
  refuses(`<a>${'x'.repeat(1_048_577)}</a>`)
  const before = Object.keys(Object.prototype).length
  try {
    parseXml(bytes('<__proto__><polluted>1</polluted></__proto__>'))
  } catch (error) {
    assert.ok(isBackfeedError(error, 'GRID_MESSAGE_INVALID'))
  }
  assert.equal(Object.keys(Object.prototype).length, before)
  assert.equal(({} as { polluted?: unknown }).polluted, undefined)
})

test('any bytes give an element or a GRID_MESSAGE_INVALID, quickly', () => {
  const piece = fc.constantFrom(
    '<',
    '>',
    '/',
    'a',
    '&',
    ';',
    '"',
    "'",
    '=',
    ' ',
    '<a>',
    '</a>',
    '<!--',
    '-->',
    '<![CDATA[',
    ']]>',
    'xmlns:p="x"',
    '<p:b/>',
    '<?x?>',
  )
  fc.assert(
    fc.property(
      fc.oneof(
        fc.array(piece).map((list) => bytes(list.join(''))),
        fc.uint8Array(),
      ),
      (input) => {
        const before = process.threadCpuUsage()
        try {
          parseXml(input)
        } catch (error) {
          assert.ok(isBackfeedError(error, 'GRID_MESSAGE_INVALID'), String(error))
        }
        assert.ok(cpuMs(before) < 2_000)
      },
    ),
    { numRuns: 3_000 },
  )
})

/** What this thread has worked since, milliseconds: what others on the machine do does not count. */
function cpuMs(before: NodeJS.CpuUsage): number {
  const { user, system } = process.threadCpuUsage(before)
  return (user + system) / 1_000
}

test('a megabyte that is made to be slow is not', () => {
  const half = 524_288
  const filled = (piece: string): string => piece.repeat(half / piece.length)
  for (const piece of [
    '<!--',
    '<![CDATA[',
    '<?',
    '<a ',
    '<a b="',
    '&amp;',
    '&',
    '</',
    ' a="1"',
    '<!-- -->',
    '-->',
    "'",
    '\t',
    '<a',
  ]) {
    for (const text of [filled(piece), `<a>${filled(piece)}</a>`, `<a ${filled(piece)}/>`]) {
      const before = process.threadCpuUsage()
      try {
        parseXml(bytes(text))
      } catch (error) {
        assert.ok(isBackfeedError(error, 'GRID_MESSAGE_INVALID'), String(error))
      }
      const tookMs = cpuMs(before)
      assert.ok(tookMs < 5_000, `${text.slice(0, 12)}… took ${tookMs} ms`)
    }
  }
})

test('what we post is valid by the schema', { skip: skipWithout(SEP_SCHEMA) }, async () => {
  const documents = (['DERControlResponse', 'PriceResponse'] as const).flatMap((kind) =>
    ([1, 2, 3, 6, 7, 14, 252, 254] as const).map((status) =>
      responseXml({ kind, replyTo: '/r', subject: 'AABB', status, createdTime: 1_790_000_000 }, 'AB'.repeat(20)),
    ),
  )
  await assertValid(documents)
})
