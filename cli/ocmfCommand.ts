import { readFileSync } from 'node:fs'
import { Command } from 'commander'
import { judgeSignedValue } from '../gateway/ocmf/judge.ts'
import { MAX_XML_BYTES } from '../gateway/ocmf/limits.ts'
import { meterKeyBytes } from '../gateway/ocmf/meterKey.ts'
import type { ReceivedValue, SignedReading } from '../gateway/ocmf/signedValue.ts'
import { readTransparencyXml } from '../gateway/ocmf/transparencyXml.ts'
import { BackfeedError, ExitCode } from '../runtime/errors.ts'
import { say } from './output.ts'

/** For `backfeed gateway`. */
export function ocmfCommand(): Command {
  return new Command('check-ocmf')
    .description(
      'Check signed meter values as they came, by the meter’s key. Exit code 4 if one is not rightly signed.',
    )
    .argument(
      '<file>',
      'OCMF|…|…, its base64 or hex, OCPP’s SignedMeterValueType as JSON, or the XML of transparency software; - is standard input',
    )
    .option('--key <key>', 'the meter’s public key: a PEM file, or hex or base64 of DER or of the point')
    .option('--trust-file-keys', 'take the keys that the file brings: tells whether it is whole, not who signed it')
    .action(async (path: string, options: { key?: string; trustFileKeys?: boolean }) => {
      if ((options.key === undefined) === (options.trustFileKeys !== true)) {
        throw wrongUse('name the meter’s key by --key, or take the file’s own by --trust-file-keys')
      }
      const values = readValues(path)
      let bad = 0
      for (const [index, value] of values.entries()) {
        say(`value ${index + 1} of ${values.length}`)
        if (!(await report(value, keyOf(options.key ?? value.publicKey)))) bad++
      }
      if (bad === 0) return
      throw new BackfeedError('OCMF_BAD_SIGNATURE', `${bad} of ${values.length} values are not rightly signed`, {
        exitCode: ExitCode.dataCorrupted,
      })
    })
}

/** Whether the signature is right, whatever it says. */
async function report(value: ReceivedValue, meterKey: Uint8Array | undefined): Promise<boolean> {
  const judgement = await judgeSignedValue({ signedValues: 'check', meterKey }, value)
  if (judgement.verdict === 'IGNORED') return true
  if (judgement.verdict !== 'VERIFIED') {
    const { code, message } = judgement.problem
    say(`  ${code}: ${message}`)
    return code === 'OCMF_NOT_EXPORT' || code === 'OCMF_METER_ERROR'
  }
  const { readings, otherReadings, serial, pagination, identification, flags } = judgement.value
  say('  rightly signed')
  if (serial !== undefined) say(`  meter ${serial}`)
  if (pagination !== undefined) say(`  page ${pagination.kind}${pagination.number}`)
  if (identification !== undefined) say(`  for ${identification}`)
  for (const reading of readings) say(`  ${inWords(reading)}`)
  for (const reading of otherReadings) say(`  ${inWords(reading)}, not a total of the meter`)
  for (const flag of flags) say(`  note: ${flag}`)
  return true
}

function inWords({ exportMilliWh, atMs, clock, moment, register }: SignedReading): string {
  const clockText = clock.toLowerCase().replace('_', ' ')
  const why = moment === undefined ? '' : ` ${moment.toLowerCase().replaceAll('_', ' ')}`
  return `${wattHours(exportMilliWh)} Wh exported (${register})${why}, ${new Date(atMs).toISOString()}, clock ${clockText}`
}

function wattHours(milliWh: number): string {
  return `${Math.floor(milliWh / 1000)}.${String(milliWh % 1000).padStart(3, '0')}`
}

function readValues(path: string): ReceivedValue[] {
  let text: string
  try {
    text = readFileSync(path === '-' ? 0 : path, 'utf8')
  } catch (cause) {
    throw new BackfeedError('OCMF_UNREADABLE', `cannot read ${path}`, { exitCode: ExitCode.usage, cause })
  }
  if (text.length > MAX_XML_BYTES) throw wrongUse(`${path} is too large`)
  return text
    .replace(/^\uFEFF/, '')
    .trimStart()
    .startsWith('<')
    ? readTransparencyXml(text)
    : [{ data: text }]
}

function keyOf(text: string | undefined): Uint8Array {
  // A path may look like base64: a file goes first.
  const bytes = text === undefined ? undefined : meterKeyBytes(textOfFile(text) ?? text)
  if (bytes === undefined) throw wrongUse('the meter’s key is neither a key nor a file with one')
  return bytes
}

function textOfFile(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return undefined
  }
}

function wrongUse(message: string): BackfeedError {
  return new BackfeedError('OPTIONS_UNCLEAR', message, { exitCode: ExitCode.usage })
}
