import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import type { Command } from 'commander'
import { buildProgram } from '../../cli/backfeed.ts'
import { degrees } from '../../cli/degrees.ts'
import { address, etherAmount, periodAt, tokenAmount, wholeNumber } from '../../cli/options.ts'
import { startL1Node } from '../../devnet/l1Node.ts'
import { startPostedLane } from '../bridge/postedLane.ts'
import { WINDOW_SECONDS } from '../../protocol/limits.ts'
import { backfeed } from '../support/commandLine.ts'

async function succeed(parameters: readonly string[]): Promise<string> {
  const { code, out, err } = await backfeed(parameters)
  assert.equal(code, 0, `${parameters.join(' ')}: ${err}`)
  return out.trim()
}

function inFolder(): { path: (name: string) => string; remove: () => void } {
  const folder = mkdtempSync(join(tmpdir(), 'backfeed-test-'))
  return { path: (name) => join(folder, name), remove: () => rmSync(folder, { recursive: true, force: true }) }
}

test('option readers take what they say and nothing else', () => {
  assert.equal(tokenAmount('12.5'), 12_500_000n)
  assert.equal(tokenAmount('0.000001'), 1n)
  assert.equal(etherAmount('10'), 10n ** 19n)
  assert.equal(degrees(90)('-52.5200066'), -525_200_066)
  assert.equal(periodAt('2026-09-22T17:15:00Z'), Date.UTC(2026, 8, 22, 17, 15) / 900_000)
  assert.equal(periodAt('2026-09-22T19:15:00+02:00'), periodAt('2026-09-22T17:15:00Z'))
  assert.equal(address('0x5aaeb6053f3e94c9b9a09f33669435e7ef1beaed'), '0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed')
  for (const text of ['0.0000001', '-1', '1e3', '', '1,5']) assert.throws(() => tokenAmount(text), /decimal/)
  for (const text of ['90.1', '1.12345678', 'north', '1e1']) assert.throws(() => degrees(90)(text), /Degrees/)
  for (const text of ['2026-09-22T17:15:00', '2026-09-22T17:16:00Z', 'noon'])
    assert.throws(() => periodAt(text), /quarter/)
  for (const text of ['0', '11', '1.5', '']) assert.throws(() => wholeNumber(1, 10)(text), /whole number/)
})

test('an option behind a subcommand is the subcommand’s, also where the outer command has one of that name', async () => {
  const program = await buildProgram()
  const devnet = program.commands.find((command) => command.name() === 'devnet')!
  const evening = devnet.commands.find((command) => command.name() === 'evening')!
  let taken: unknown
  evening.action((options: { seed: string; logLevel: string }) => {
    taken = [options.seed, options.logLevel]
  })
  await program.parseAsync(['devnet', 'evening', '--seed', '7', '--log-level', 'silent'], { from: 'user' })
  assert.deepEqual(taken, ['7', 'silent'])
})

test('every command and option says what it is', async () => {
  const check = (command: Command): void => {
    assert.notEqual(command.description(), '', command.name())
    for (const option of command.options) assert.notEqual(option.description, '', `${command.name()} ${option.flags}`)
    for (const inner of command.commands) check(inner)
  }
  const program = await buildProgram()
  assert.deepEqual(
    program.commands.map((command) => command.name()),
    ['devnet', 'sequencer', 'prover', 'evse', 'gateway', 'bridge', 'receipt', 'admin', 'bench'],
  )
  check(program)
})

test('exit codes: 0 for help, 2 for wrong usage or files, 3 when L1 is not there', async () => {
  const files = inFolder()
  try {
    assert.match(await succeed(['sequencer', '--help']), /batch\.maxAgeSeconds +60/)
    assert.equal((await backfeed(['bridge', 'fund'])).code, 2)
    assert.equal((await backfeed(['sequencer', '--config', files.path('none.toml')])).code, 2)
    writeFileSync(files.path('odd.toml'), '[l1]\nrpcUrl = "http://127.0.0.1:1"\n[prover]\nlane = 0\n')
    const odd = await backfeed(['prover', '--config', files.path('odd.toml')])
    assert.equal(odd.code, 2)
    assert.match(odd.err, /prover\.lane: unknown key/)
    assert.equal((await backfeed(['devnet', '--sessions', 'x.csv'])).code, 2)
    writeFileSync(files.path('key'), `0x${'11'.repeat(32)}`)
    writeFileSync(files.path('away.toml'), '[l1]\nrpcUrl = "http://127.0.0.1:1"\nretryCount = 0\n')
    const deploy = ['admin', 'deploy', '--config', files.path('away.toml'), '--key', files.path('key')]
    assert.equal((await backfeed(deploy)).code, 3)
  } finally {
    files.remove()
  }
})

test('from nothing to a funded lane by the operators’ commands alone', { timeout: 400_000 }, async () => {
  const files = inFolder()
  await using node = await startL1Node({ startSeconds: Date.UTC(2026, 8, 22, 15) / 1000 })
  try {
    const config = files.path('l1.toml')
    writeFileSync(config, `[l1]\nrpcUrl = "${node.url}"\n`)
    const names = ['zone', 'publisher', 'certifier', 'owner', 'operator', 'driver'] as const
    const who: Record<string, string> = {}
    for (const name of names) {
      const said = await succeed(['admin', 'keygen', '--out', files.path(name)])
      who[name] = said.replace('address ', '')
      await node.setBalance(who[name], 100n * 10n ** 18n)
    }
    assert.equal(statSync(files.path('zone')).mode & 0o777, 0o600)
    assert.equal(
      (await backfeed(['admin', 'keygen', '--out', files.path('zone')])).code,
      2,
      'a key is never overwritten',
    )

    const as = (name: (typeof names)[number]): string[] => ['--config', config, '--key', files.path(name)]
    const contracts = await succeed(['admin', 'deploy', ...as('zone')])
    writeFileSync(config, `${readFileSync(config, 'utf8')}${contracts}\n`)
    const roles = ['--publisher', who.publisher!, '--certifier', who.certifier!]
    assert.equal(await succeed(['admin', 'open-zone', ...as('zone'), ...roles]), 'zone 0')
    const lane = await succeed(['admin', 'open-lane', ...as('owner'), '--zone', '0', '--operator', who.operator!])
    assert.equal(lane, 'lane 0')
    await succeed(['admin', 'bond', 'deposit', ...as('operator'), '--ether', '10'])

    writeFileSync(
      files.path('tariff.toml'),
      'socToleranceBps = 500\nmaxIncentiveBps = 20000\n[tiers]\npowerW = [0]\nsessionIntervals = [0]\nbps = [[10000]]\n[[thermal]]\nfromC = 0\nbps = 10000\n',
    )
    const from = ['--from', '2026-09-22T16:00:00Z', '--tariff', files.path('tariff.toml')]
    await succeed(['admin', 'tariff', 'set', ...as('zone'), '--lane', '0', ...from])
    assert.equal((await backfeed(['admin', 'tariff', 'set', ...as('owner'), '--lane', '0', ...from])).code, 5)

    const evseKey = (await succeed(['admin', 'keygen', '--kind', 'evse', '--out', files.path('evse')])).replace(
      'public key ',
      '',
    )
    const evses = ['--lane', '0', '--evses', files.path('evses.csv')]
    writeFileSync(
      files.path('evses.csv'),
      `publicKey,ratedW,lat,lon,radiusM,deposit\n${evseKey},11000,52.52,13.405,50,0\n`,
    )
    writeFileSync(files.path('certificate'), await succeed(['admin', 'certify', ...as('certifier'), ...evses]))
    const certificate = ['--certificate', files.path('certificate')]
    assert.equal(await succeed(['admin', 'register-evses', ...as('owner'), ...evses, ...certificate]), 'EVSEs 0 to 0')

    const second = ['--zone', '0', '--operator', who.operator!, '--scheme', 'bls']
    assert.equal(await succeed(['admin', 'open-lane', ...as('owner'), ...second]), 'lane 1')
    const [bls, other] = await Promise.all(
      ['bls', 'other'].map(async (name) => {
        const said = await succeed(['admin', 'keygen', '--kind', 'evse-bls', '--out', files.path(name)])
        assert.equal(statSync(files.path(name)).mode & 0o777, 0o600)
        const [, key, possession] = /^public key (0x[0-9a-f]{256})\npossession (0x[0-9a-f]{384})$/.exec(said)!
        return { key: key!, possession: possession! }
      }),
    )
    const blsEvses = ['--lane', '1', '--evses', files.path('bls.csv')]
    const blsFile = (possession: string): void =>
      writeFileSync(
        files.path('bls.csv'),
        `publicKey,ratedW,lat,lon,radiusM,deposit,possession\n${bls!.key},11000,52.52,13.405,50,0,${possession}\n`,
      )
    blsFile(other!.possession)
    writeFileSync(files.path('certificate'), await succeed(['admin', 'certify', ...as('certifier'), ...blsEvses]))
    const register = ['admin', 'register-evses', ...as('owner'), ...blsEvses, ...certificate]
    const stolen = await backfeed(register)
    assert.equal(stolen.code, 2)
    assert.match(stolen.err, /possession.*Not a proof/)
    blsFile(bls!.possession)
    assert.equal(await succeed(register), 'EVSEs 0 to 0')

    assert.equal(await succeed(['admin', 'mint-vehicle', ...as('owner'), '--owner', who.driver!]), 'vehicle 1')
    const enrolment = ['--lane', '0', '--contracts', files.path('contracts.csv')]
    const contractRow = (consent: string): string =>
      `vehicle,incentiveBps,capacityWh,consent\n1,12000,60000,${consent}\n`
    writeFileSync(files.path('contracts.csv'), contractRow('0x'))
    const [consent, deadline] = (await succeed(['admin', 'consent', ...as('driver'), ...enrolment])).split(
      '\ndeadline ',
    )
    const enrol = ['admin', 'enrol', ...as('owner'), ...enrolment, '--deadline', deadline!]
    const refused = await backfeed(enrol)
    assert.equal(refused.code, 5)
    assert.match(refused.err, /NoConsent/)
    writeFileSync(files.path('contracts.csv'), contractRow(consent!))
    assert.equal(await succeed(enrol), 'contracts 0 to 0')

    writeFileSync(
      files.path('prices.csv'),
      'period,price\n2026-09-22T17:00:00Z,0.25\n2026-09-22T17:15:00Z,0\n2026-09-22T18:00:00Z,1.5\n',
    )
    const prices = ['--zone', '0', '--prices', files.path('prices.csv')]
    assert.equal(
      await succeed(['admin', 'prices', 'set', ...as('publisher'), ...prices]),
      '3 periods in 2 transactions',
    )
    const poor = await backfeed(['bridge', 'fund', ...as('zone'), '--lane', '0', '--amount', '5'])
    assert.equal(poor.code, 5, 'the zone has no token yet')
    assert.match(await succeed(['bridge', 'credit', '--config', config, '--lane', '0']), /newest batch 0/)

    const shown = ['--config', config, '--lane', '0']
    assert.match(await succeed(['admin', 'tariff', 'show', ...shown]), /^version 0, from 2026-09-22T16:00:00Z/)
    const evening = ['--zone', '0', '--from', '2026-09-22T17:00:00Z', '--count', '2']
    assert.equal(
      await succeed(['admin', 'prices', 'show', '--config', config, ...evening]),
      '2026-09-22T17:00:00Z  0.250000\n2026-09-22T17:15:00Z  0.000000',
    )
    await succeed(['admin', 'bond', 'exit', ...as('operator')])
    assert.match(await succeed(['admin', 'lane', 'show', ...shown]), /bond 10 ether \(leaving/)
    assert.equal((await backfeed(['admin', 'lane', 'reopen', ...as('owner'), '--lane', '0'])).code, 2)
    assert.match(await succeed(['admin', 'lane', 'reopen', ...as('operator'), '--lane', '0']), /exit cancelled/)
    assert.equal(
      await succeed(['admin', 'bond', 'show', '--config', config, '--account', who.operator!]),
      'bond 10 ether',
    )
  } finally {
    files.remove()
  }
})

test('keys are replaced, slots ended, and lanes and zones change hands', { timeout: 400_000 }, async () => {
  const files = inFolder()
  await using node = await startL1Node({ startSeconds: Date.UTC(2026, 8, 22, 15) / 1000 })
  try {
    const config = files.path('l1.toml')
    writeFileSync(config, `[l1]\nrpcUrl = "${node.url}"\n`)
    const who: Record<string, string> = {}
    for (const name of ['zone', 'owner', 'next']) {
      who[name] = (await succeed(['admin', 'keygen', '--out', files.path(name)])).replace('address ', '')
      await node.setBalance(who[name] as `0x${string}`, 100n * 10n ** 18n)
    }
    const as = (name: string): string[] => ['--config', config, '--key', files.path(name)]
    const contracts = await succeed(['admin', 'deploy', ...as('zone')])
    writeFileSync(config, `${readFileSync(config, 'utf8')}${contracts}\n`)
    await succeed(['admin', 'open-zone', ...as('zone'), '--publisher', who.zone!, '--certifier', who.zone!])
    await succeed(['admin', 'open-lane', ...as('owner'), '--zone', '0', '--operator', who.owner!])

    const charger = async (name: string): Promise<string[]> => {
      const key = (await succeed(['admin', 'keygen', '--kind', 'evse', '--out', files.path(name)])).split(' ').at(-1)
      const csv = files.path(`${name}.csv`)
      writeFileSync(csv, `publicKey,ratedW,lat,lon,radiusM,deposit\n${key},11000,52.52,13.405,50,0\n`)
      const what = ['--lane', '0', '--evses', csv]
      writeFileSync(files.path(`${name}.cert`), await succeed(['admin', 'certify', ...as('zone'), ...what]))
      return [...what, '--certificate', files.path(`${name}.cert`)]
    }
    await succeed(['admin', 'register-evses', ...as('owner'), ...(await charger('first'))])
    const rotated = await succeed([
      'admin',
      'evse',
      'rotate',
      ...as('owner'),
      ...(await charger('second')),
      '--slot',
      '0',
    ])
    assert.match(rotated, /^EVSE 1 replaces EVSE 0, which ends at 2026-09-22T15:\d\d:\d\dZ$/)
    const listed = await succeed(['admin', 'evse', 'list', '--config', config, '--lane', '0'])
    assert.match(listed, /^0 {2}11000 W, from 2026-\S+ to 2026-\S+\n1 {2}11000 W, from 2026-\S+Z$/)
    const again = await backfeed(['admin', 'evse', 'end', ...as('owner'), '--lane', '0', '--slot', '0'])
    assert.match(again.err, /EndNotForward/)
    assert.equal(again.code, 5)
    const early = ['--lane', '0', '--slot', '1', '--at', '2026-09-22T15:10:00Z']
    assert.match((await backfeed(['admin', 'evse', 'end', ...as('zone'), ...early])).err, /EndTooSoon/)
    const locked = await backfeed(['admin', 'evse', 'release-deposit', ...as('owner'), '--lane', '0', '--slot', '0'])
    assert.match(locked.err, /DepositLocked/)

    const zone = ['--zone', '0']
    await succeed([
      'admin',
      'zone',
      'set-roles',
      ...as('zone'),
      ...zone,
      '--publisher',
      who.next!,
      '--certifier',
      who.next!,
    ])
    await succeed(['admin', 'zone', 'propose-operator', ...as('zone'), ...zone, '--operator', who.next!])
    assert.equal((await backfeed(['admin', 'zone', 'accept-operator', ...as('owner'), ...zone])).code, 5)
    await succeed(['admin', 'zone', 'accept-operator', ...as('next'), ...zone])
    assert.equal(
      await succeed(['admin', 'zone', 'show', '--config', config, ...zone]),
      `operator ${who.next}\npublisher ${who.next}\ncertifier ${who.next}`,
    )
    assert.equal((await backfeed(['admin', 'zone', 'show', '--config', config, '--zone', '1'])).code, 2)

    const lane = ['--lane', '0']
    await succeed(['admin', 'lane', 'set-operator', ...as('owner'), ...lane, '--operator', who.next!])
    await succeed(['admin', 'lane', 'propose-owner', ...as('owner'), ...lane, '--owner', who.next!])
    await succeed(['admin', 'lane', 'accept-owner', ...as('next'), ...lane])
    assert.match(await succeed(['admin', 'lane', 'reopen', ...as('next'), ...lane]), /10 ether deposited/)
    assert.match(
      await succeed(['admin', 'lane', 'show', '--config', config, ...lane]),
      new RegExp(`owner ${who.next}, operator ${who.next}\n[^]*bond 10 ether$`),
    )
    assert.equal((await backfeed(['admin', 'lane', 'show', '--config', config, '--lane', '7'])).code, 5)
  } finally {
    files.remove()
  }
})

test('an owner looks and withdraws by the command line, from L1 alone', { timeout: 400_000 }, async () => {
  const files = inFolder()
  await using posted = await startPostedLane({ evseCount: 3 })
  try {
    await posted.post(posted.rows)
    const head = await posted.node.client.getBlock()
    await posted.node.moveTo(Number(head.timestamp) + WINDOW_SECONDS)
    const lines = Object.entries(posted.contracts).map(([name, value]) => `${name} = ${JSON.stringify(value)}`)
    writeFileSync(files.path('l1.toml'), `[l1]\nrpcUrl = "${posted.node.url}"\n[contracts]\n${lines.join('\n')}\n`)
    writeFileSync(files.path('key'), `0x${'22'.repeat(32)}`)
    await posted.node.setBalance('0x1563915e194D8CfBA1943570603F7606A3115508', 10n ** 18n)
    const lane = ['--config', files.path('l1.toml'), '--lane', '0']
    const key = ['--key', files.path('key')]

    const credit = await succeed(['bridge', 'credit', ...lane, '--slot', '1', '--json'])
    const { withdrawableMicro, owner } = JSON.parse(credit) as { withdrawableMicro: string; owner: string }
    assert.equal(BigInt(withdrawableMicro), posted.state.contract(1).creditedMicro)
    assert.equal((await backfeed(['bridge', 'credit', ...lane, '--slot', '9'])).code, 2)

    const hex = (from: number, to: number): string => `0x${Buffer.from(posted.rows).toString('hex', from, to)}`
    const first = { record: hex(0, 24), signature: hex(24, 88) }
    writeFileSync(files.path('records.json'), JSON.stringify({ records: [first, { ...first, record: hex(88, 112) }] }))
    assert.equal(await succeed(['bridge', 'force', 'status', ...lane]), '0 entries, 0 of them in batches')
    const flags = ['--record', first.record, '--signature', first.signature]
    const due = /^entry 0: in a batch by \d{4}-[^ ]+Z; after \d{4}-[^ ]+Z anyone bonded may post it$/
    assert.match(await succeed(['bridge', 'force', ...lane, ...key, ...flags]), due)
    const unsigned = await backfeed(['bridge', 'force', ...lane, ...key, '--records', files.path('records.json')])
    assert.match(unsigned.out, /^entry 1:/, 'the first of the file is signed')
    assert.match(unsigned.err, /BadSignature/)
    assert.equal(unsigned.code, 5)
    const status = await succeed(['bridge', 'force', 'status', ...lane])
    assert.match(status, new RegExp(`^2 entries, 0 of them in batches\nentry 0: .*${first.record}\nentry 1: `))
    assert.equal((await backfeed(['bridge', 'force', ...lane, ...key, '--record', first.record])).code, 2)
    assert.match(await succeed(['bridge', 'withdraw', ...lane, '--slot', '1', ...key]), new RegExp(`paid to ${owner}`))
    assert.equal((await backfeed(['bridge', 'withdraw', ...lane, '--slot', '1', ...key])).code, 5)
    assert.match(await succeed(['bridge', 'withdraw-all', ...lane, ...key]), /2 contracts in 1 transactions/)
    assert.equal(await succeed(['bridge', 'withdraw-all', ...lane, ...key]), 'nothing to withdraw')
  } finally {
    files.remove()
  }
})
