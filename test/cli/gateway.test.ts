import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { stringify } from 'smol-toml'
import { freePort } from '../../devnet/freePort.ts'
import { startAnvil } from '../support/anvil.ts'
import { type Answer, backfeed, CLI } from '../support/commandLine.ts'
import { openTestLane } from '../support/laneFixture.ts'
import { temporaryFolder } from '../support/temporaryFolder.ts'

test('a gateway as an operator runs it: checked, started, asked, told, stopped', { timeout: 300_000 }, async (t) => {
  await using anvil = await startAnvil()
  await using folder = await temporaryFolder()
  const lane = await openTestLane({ anvil, evses: 2 })
  const path = (name: string): string => join(folder.path, name)
  for (const [i, { pem }] of lane.fleet.keys.entries()) writeFileSync(path(`${i}.pem`), pem!, { mode: 0o600 })
  const port = await freePort()
  const { out: passwordHash, code } = await backfeed(['gateway', 'hash-password'], 'sixteen-characters-and-more\n')
  assert.equal(code, 0)
  const config = (slotOfSecond: number): string => `
dataDir = "${path('data')}"
[l1]
rpcUrl = "${anvil.url}"
pollMs = 100
follow = { kind = "depth", blocks = 0 }
[clock]
source = "l1"
${stringify({ contracts: { ...lane.contracts } })}
[[sequencers]]
lane = ${lane.lane}
addresses = ["http://127.0.0.1:1"]
[[fleet.evses]]
name = "hall-1"
lane = ${lane.lane}
slot = 0
station = "CP-1"
telemetry = "ocpp"
signer = { kind = "file", keyFile = "${path('0.pem')}" }
[[fleet.evses]]
name = "hall-2"
lane = ${lane.lane}
slot = ${slotOfSecond}
station = "CP-2"
signer = { kind = "file", keyFile = "${path('1.pem')}" }
[[fleet.contracts]]
lane = ${lane.lane}
slot = 0
tokens = ["CAR-0"]
[control.bySource.ocpp]
telemetry = { staleMs = 30000 }
[ocpp]
port = 0
securityProfile = 1
[[ocpp.stations]]
id = "CP-1"
passwordHash = "${passwordHash}"
[[ocpp.stations]]
id = "CP-2"
passwordHash = "${passwordHash}"
[http]
port = ${port}
[log]
level = "error"
`
  const [good, swapped] = [path('gateway.toml'), path('swapped.toml')]
  writeFileSync(good, config(1))
  writeFileSync(swapped, config(0))

  await t.test('what it would stumble over is named', async () => {
    const right = await backfeed(['gateway', 'check', '--config', good])
    assert.equal(right.code, 0, right.out + right.err)
    assert.doesNotMatch(right.out, /FAULT/)
    const wrong = await backfeed(['gateway', 'check', '--config', swapped])
    assert.equal(wrong.code, 2)
    chmodSync(path('1.pem'), 0o644)
    const open = await backfeed(['gateway', 'check', '--config', good])
    chmodSync(path('1.pem'), 0o600)
    assert.equal(open.code, 2)
    assert.match(open.out, /FAULT .*hall-2.*ERR_AUTH_EXPIRED|FAULT .*ERR_AUTH_EXPIRED.*hall-2/)
    writeFileSync(path('misspelt.toml'), config(1).replace('securityProfile', 'securityProfil'))
    const misspelt = await backfeed(['gateway', 'check', '--config', path('misspelt.toml')])
    assert.equal(misspelt.code, 2)
    assert.match(misspelt.err, /ocpp\.securityProfil: unknown key/)
    const webhook = `[[webhooks]]\nname = "billing"\nurl = "http://127.0.0.1:1/"\nsecretFiles = ["${path('none')}"]\n`
    writeFileSync(path('hooked.toml'), config(1) + webhook)
    const hooked = await backfeed(['gateway', 'check', '--config', path('hooked.toml')])
    assert.equal(hooked.code, 2)
    assert.match(hooked.out, /FAULT .*billing.*secretFiles\[0\].*WEBHOOK_SECRET_UNREADABLE/)
  })

  const child = spawn(process.execPath, [CLI, 'gateway', '--config', good], { stdio: ['ignore', 'ignore', 'inherit'] })
  t.after(() => child.kill('SIGKILL'))
  const url = ['--url', `http://127.0.0.1:${port}`]
  const statesOf = ({ out }: Answer): Map<string, string> => {
    const { sources } = (out === '' ? { sources: [] } : JSON.parse(out)) as {
      sources: { name: string; state: string }[]
    }
    return new Map(sources.map(({ name, state }) => [name, state]))
  }
  let status = await backfeed(['gateway', 'status', '--json', ...url])
  while (statesOf(status).get('ocpp') !== 'UP') {
    assert.equal(child.exitCode, null, 'the gateway ended')
    await sleep(250)
    status = await backfeed(['gateway', 'status', '--json', ...url])
  }
  await t.test('it says how it is', async () => {
    assert.equal(statesOf(status).get('mqtt'), undefined, 'a section that is absent is a source that is off')
    const table = await backfeed(['gateway', 'status', '--all', ...url])
    for (const name of ['hall-1', 'hall-2', 'ocpp']) assert.match(table.out, new RegExp(name))
    const metrics = await (await fetch(`http://127.0.0.1:${port}/metrics`)).text()
    assert.match(metrics, /backfeed_gateway_source_up\{[^}]*source="ocpp"[^}]*\} 1/)
  })

  await t.test('it does what it is told, or says why not', async () => {
    const told = (...parameters: string[]): Promise<Answer> => backfeed(['gateway', ...parameters, ...url])
    assert.equal((await told('withheld')).out, 'nothing is put aside')
    assert.equal((await told('reset-guard', 'hall-1')).code, 0)
    for (const [command, code] of [
      [['reset-guard', 'hall-9'], 'EVSE_UNKNOWN'],
      // Nothing was ever metered there.
      [['release', 'hall-1', '7'], 'EVSE_UNKNOWN'],
      [['dismiss', 'hall-9', '7'], 'EVSE_UNKNOWN'],
    ] as const) {
      const answer = await told(...command)
      assert.notEqual(answer.code, 0)
      assert.match(answer.err, new RegExp(code), command.join(' '))
    }
  })

  child.kill('SIGTERM')
  const [exit] = (await once(child, 'exit')) as [number | null]
  assert.equal(exit, 0)
  const gone = await backfeed(['gateway', 'withheld', ...url])
  assert.match(gone.err, /GATEWAY_UNREACHABLE/)
})
