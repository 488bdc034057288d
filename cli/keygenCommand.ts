import { createECDH, randomBytes } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { Command, Option } from 'commander'
import { generatePrivateKey, privateKeyToAddress } from 'viem/accounts'
import { toHex } from '../l1/bytes.ts'
import { BackfeedError, ExitCode } from '../runtime/errors.ts'

export function keygenCommand(): Command {
  return new Command('keygen')
    .description('Make a key; prints the public part. An existing file is never overwritten.')
    .requiredOption('--out <file>', 'where the hex key goes, readable by its owner alone')
    .addOption(new Option('--kind <kind>', 'what it is for').choices(['l1', 'evse']).default('l1'))
    .action(({ out, kind }: { out: string; kind: 'l1' | 'evse' }) => {
      const { key, shown } = kind === 'l1' ? l1Key() : evseKey()
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

function l1Key(): { key: string; shown: string } {
  const key = generatePrivateKey()
  return { key, shown: `address ${privateKeyToAddress(key)}` }
}

/** P-256. A random scalar is out of range once in 2^32: then another is drawn. */
function evseKey(): { key: string; shown: string } {
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
