import { Command } from 'commander'
import { z } from 'zod'
import { INTERVAL_SECONDS } from '../protocol/limits.ts'
import { BackfeedError, ExitCode } from '../runtime/errors.ts'
import { GATEWAY_URL, gatewayAnswer } from './gatewayUrl.ts'
import { isoTime, say } from './output.ts'

const withheldSchema = z.object({
  entries: z.array(
    z.object({
      evse: z.string(),
      id: z.string(),
      code: z.string(),
      message: z.string(),
      transaction: z.string().optional(),
      start: z.number(),
      end: z.number(),
      energyWh: z.number(),
      isReleasable: z.boolean(),
    }),
  ),
  isCut: z.boolean(),
})

/** What an operator may ask of a running gateway. */
export function gatewayActions(): Command[] {
  return [
    withheldCommand(),
    releaseCommand(),
    dismissCommand(),
    acceptRegisterCommand(),
    resetCommand(),
    hashPasswordCommand(),
  ]
}

function withheldCommand(): Command {
  return new Command('withheld')
    .description('List energy that was metered and put aside because nobody can say whose it is, or when it flowed.')
    .option(...GATEWAY_URL)
    .option('--evse <name>', 'of one EVSE')
    .action(async ({ url, evse }: { url: string; evse?: string }) => {
      const { entries, isCut } = withheldSchema.parse(await gatewayAnswer(url, '/v1/withheld', { evse }))
      for (const { evse: name, id, code, start, end, energyWh, message, isReleasable } of entries) {
        const span = `${isoTime(start * INTERVAL_SECONDS)} to ${isoTime(end * INTERVAL_SECONDS)}`
        say(`${name} ${id}  ${energyWh} Wh  ${span}  ${code}: ${message}${isReleasable ? '  (can be released)' : ''}`)
      }
      say(entries.length === 0 ? 'nothing is put aside' : isCut ? '… there is more: name an EVSE' : '')
    })
}

function releaseCommand(): Command {
  return new Command('release')
    .description('Have the energy of a gap signed after all, spread evenly over its time.')
    .argument('<evse>', 'name of the EVSE')
    .argument('<id>', 'of the gap, as `withheld` lists it')
    .option(...GATEWAY_URL)
    .action(async (evse: string, id: string, { url }: { url: string }) => {
      await gatewayAnswer(url, '/v1/withheld/release', { evse, id })
      say(`${evse} ${id} is released`)
    })
}

function dismissCommand(): Command {
  return new Command('dismiss')
    .description(
      'Take energy that was dealt with otherwise off the list of what is put aside. It is never signed then.',
    )
    .argument('<evse>', 'name of the EVSE')
    .argument('<id>', 'as `withheld` lists it')
    .option(...GATEWAY_URL)
    .action(async (evse: string, id: string, { url }: { url: string }) => {
      await gatewayAnswer(url, '/v1/withheld/dismiss', { evse, id })
      say(`${evse} ${id} is dismissed`)
    })
}

function acceptRegisterCommand(): Command {
  return new Command('accept-register')
    .description('Say that an EVSE’s meter was changed or reset: reading goes on where its new register began.')
    .argument('<evse>', 'name of the EVSE')
    .option(...GATEWAY_URL)
    .action(async (evse: string, { url }: { url: string }) => {
      await gatewayAnswer(url, '/v1/register/accept', { evse })
      say(`the register of ${evse} is accepted as it is now`)
    })
}

function resetCommand(): Command {
  return new Command('reset-guard')
    .description('Let an EVSE that its guard stopped begin again, once somebody has looked at it.')
    .argument('<evse>', 'name of the EVSE')
    .option(...GATEWAY_URL)
    .action(async (evse: string, { url }: { url: string }) => {
      await gatewayAnswer(url, '/v1/guard/reset', { evse })
      say(`the guard of ${evse} begins again`)
    })
}

function hashPasswordCommand(): Command {
  return new Command('hash-password')
    .description('Hash a station’s password, read from standard input, for ocpp.stations or the passwords file.')
    .action(async () => {
      const { hashPassword } = await import('../gateway/ocpp/passwords.ts')
      const parts: Buffer[] = []
      for await (const part of process.stdin as AsyncIterable<Buffer>) parts.push(part)
      const password = Buffer.concat(parts)
        .toString('utf8')
        .replace(/\r?\n$/, '')
      if (password.length === 0) {
        throw new BackfeedError('USAGE', 'standard input holds no password', { exitCode: ExitCode.usage })
      }
      say(await hashPassword(password))
    })
}
