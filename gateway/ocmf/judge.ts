import { openEnvelope } from './envelope.ts'
import { MAX_OCMF_BYTES } from './limits.ts'
import { meterKeyBytes, parseMeterKey } from './meterKey.ts'
import { type OcmfDocument, parseOcmf } from './ocmfDocument.ts'
import { OcmfError } from './ocmfError.ts'
import { exportReadings } from './readings.ts'
import { DEFAULT_ALGORITHM, parseAlgorithm } from './signatureAlgorithm.ts'
import type {
  Judgement,
  ReceivedValue,
  SignedValueFlag,
  SignedValuePolicy,
  SignedValueProblem,
  VerifiedValue,
} from './signedValue.ts'
import { verifyDocument } from './verifySignature.ts'

/** See `JudgeSignedValue`. */
export async function judgeSignedValue(evse: SignedValuePolicy, value: ReceivedValue | undefined): Promise<Judgement> {
  if (value === undefined) {
    if (evse.signedValues === 'ignore') return { verdict: 'IGNORED', evidence: undefined }
    return doubted(evse, { code: 'OCMF_UNSIGNED', message: 'the reading came without a signature' }, undefined)
  }
  // Bounded like everything: what is too large is no value, and no evidence.
  let evidence: Uint8Array | undefined = Buffer.from(value.data.slice(0, MAX_OCMF_BYTES), 'utf8')
  try {
    const opened = openEnvelope(value)
    evidence = opened.document
    if (evse.signedValues === 'ignore') return { verdict: 'IGNORED', evidence }
    const verified = await verifyValue(opened, evse)
    const clockProblem = clockOf(verified)
    if (clockProblem !== undefined && evse.signedValues === 'refuse') return doubted(evse, clockProblem, evidence)
    return { verdict: 'VERIFIED', value: verified, evidence }
  } catch (error) {
    if (evse.signedValues === 'ignore') return { verdict: 'IGNORED', evidence }
    if (error instanceof OcmfError) return doubted(evse, error.problem, evidence)
    const message = `the value cannot be read: ${error instanceof Error ? error.message : String(error)}`
    return doubted(evse, { code: 'OCMF_UNREADABLE', message }, evidence)
  }
}

/** Whether anything of it is right is the signature's to say, so that it comes before the content. */
async function verifyValue(
  opened: { document: Uint8Array; signingMethod: string | undefined; publicKey: string | undefined },
  evse: SignedValuePolicy,
): Promise<VerifiedValue> {
  const document = parseOcmf(opened.document)
  if (evse.meterKey === undefined) {
    throw new OcmfError('OCMF_KEY_UNKNOWN', 'no key of this EVSE’s meter is configured')
  }
  const flags = await verifyDocument(document, evse.meterKey, opened.signingMethod)
  const content = exportReadings(document.fields)
  if (opened.publicKey !== undefined && !isSameKey(opened.publicKey, evse.meterKey, document)) flags.push('KEY_DIFFERS')
  if (content.readings.some(({ clock }) => clock === 'NOT_SET')) flags.push('CLOCK_NOT_SET')
  return { ...content, flags: flags satisfies readonly SignedValueFlag[] }
}

function clockOf({ readings }: VerifiedValue): SignedValueProblem | undefined {
  const last = readings.at(-1)
  if (last === undefined || last.clock !== 'NOT_SET') return undefined
  return { code: 'OCMF_CLOCK', message: `the meter’s clock is not set: it says ${new Date(last.atMs).toISOString()}` }
}

function isSameKey(text: string, meterKey: Uint8Array, { algorithm }: OcmfDocument): boolean {
  const bytes = meterKeyBytes(text)
  if (bytes === undefined) return false
  try {
    const curve = (algorithm === undefined ? undefined : parseAlgorithm(algorithm).curve) ?? DEFAULT_ALGORITHM.curve!
    return parseMeterKey(bytes, curve).key.equals(parseMeterKey(meterKey, curve).key)
  } catch {
    return false
  }
}

function doubted(
  { signedValues }: SignedValuePolicy,
  problem: SignedValueProblem,
  evidence: Uint8Array | undefined,
): Judgement {
  return { verdict: signedValues === 'refuse' ? 'REFUSED' : 'FLAGGED', problem, evidence }
}
