import { createECDH, randomBytes } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { Command, Option } from 'commander'
import { generatePrivateKey, privateKeyToAddress } from 'viem/accounts'
import { toHex } from '../l1/bytes.ts'
import { BackfeedError, ExitCode } from '../runtime/errors.ts'

const KINDS = ['l1', 'evse', 'evse-bls'] as const
type Kind = (typeof KINDS)[number]

interface MadeKey {
  readonly key: string
  readonly shown: string
}

const makers: Readonly<Record<Kind, () => MadeKey | Promise<MadeKey>>> = {
  l1: l1Key,
  evse: evseKey,
  'evse-bls': blsEvseKey,
}

export function keygenCommand(): Command {
  return new Command('keygen')
    .description('Make a key; prints the public part. An existing file is never overwritten.')
    .requiredOption('--out <file>', 'where the hex key goes, readable by its owner alone')
    .addOption(new Option('--kind <kind>', 'what it is for').choices(KINDS).default('l1'))
    .action(async ({ out, kind }: { out: string; kind: Kind }) => {
      const { key, shown } = await makers[kind]()
      try {
        writeFileSync(out, `${key}\n`, { flag: 'wx', mode: 0o600 })
      } catch (cause) {
        throw new BackfeedError('KEY_UNWRITABLE', `cannot make the key file ${out}`, {
          exitCode: ExitCode.usage,
          cause,
        })
      }
      process.stdout.write(`${shown}\n`)
    })
}

function l1Key(): MadeKey {
  const key = generatePrivateKey()
  return { key, shown: `address ${privateKeyToAddress(key)}` }
}

/** P-256. A random scalar is out of range once in 2^32: then another is drawn. */
function evseKey(): MadeKey {
  const curve = createECDH('prime256v1')
  for (;;) {
    const scalar = randomBytes(32)
    try {
      curve.setPrivateKey(scalar)
    } catch {
      continue
    }
    return { key: toHex(scalar), shown: `public key ${toHex(curve.getPublicKey().subarray(1))}` }
  }
}

/** BLS12-381, with the proof of possession that a registration wants. */
async function blsEvseKey(): Promise<MadeKey> {
  const { default: bls } = await import('@chainsafe/bls')
  const { blsKeyBytes, parseZcashBlsKey } = await import('../protocol/bls.ts')
  const { provePossession } = await import('../protocol/blsPossession.ts')
  const secret = bls.SecretKey.fromKeygen(randomBytes(32))
  const publicKey = blsKeyBytes(parseZcashBlsKey(secret.toPublicKey().toBytes())!)
  const possession = provePossession(secret.toBytes())
  return { key: toHex(secret.toBytes()), shown: `public key ${toHex(publicKey)}\npossession ${toHex(possession)}` }
}
