import assert from 'node:assert/strict'
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import type { SimulatedStation, StationSettings } from '../../../devnet/stations/station.ts'
import { hashPassword, PasswordChecker, parsePasswordHash, readPasswordsFile } from '../../../gateway/ocpp/passwords.ts'
import { type Authority, createAuthority, type Pem } from './authority.ts'
import { Clock, KNOWN_TOKEN, PASSWORD, passwordHash, startOcpp } from './fixture.ts'

let folder: string
let authority: Authority
let stranger: Authority

const file = (name: string): string => join(folder, name)

before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'backfeed-ocpp-'))
  authority = await createAuthority('Backfeed test')
  stranger = await createAuthority('Stranger')
  const server = await authority.issue({ name: 'CN=127.0.0.1', address: '127.0.0.1' })
  await writeFile(file('server.pem'), server.certificate)
  await writeFile(file('server.key'), server.key, { mode: 0o600 })
  await writeFile(file('ca.pem'), authority.certificate)
})

after(() => rm(folder, { recursive: true }))

/** The TLS handshake goes by the machine's clock, so these gateways do as well. */
class RealClock extends Clock {
  override readonly now = (): number => Date.now()
}

const tls = () => ({ certificateFile: file('server.pem'), keyFile: file('server.key'), clientCaFile: file('ca.pem') })

async function letIn(station: SimulatedStation): Promise<number> {
  try {
    await station.boot()
    return 101
  } catch (error) {
    return (error as { code: number }).code
  }
}

const withPem = (pem?: Pem): Partial<StationSettings> => ({ tls: { ca: authority.certificate, ...pem } })

test('profile 1: basic auth with the station’s id', async () => {
  await using gateway = await startOcpp({ stations: { CS1: 1, 'CS:2': 1 } })
  assert.equal(await letIn(gateway.station({ password: 'wrong' })), 401)
  assert.deepEqual(gateway.codes(), ['STATION_AUTH_FAILED'])

  assert.equal(await letIn(gateway.station({ password: '' })), 401)
  assert.equal(await letIn(gateway.station({ id: 'Unknown' })), 404)
  assert.equal(await letIn(gateway.station()), 101)
  assert.equal(await letIn(gateway.station({ id: 'CS:2' })), 101)
  assert.deepEqual(gateway.codes(), [])
  const metrics = await gateway.metrics()
  assert.match(metrics, /backfeed_ocpp_refused_total{code="STATION_AUTH_FAILED",service="test"} 2/)
  assert.match(metrics, /backfeed_ocpp_refused_total{code="STATION_UNKNOWN",service="test"} 1/)
  assert.match(metrics, /backfeed_ocpp_connections{service="test"} 2/)
})

test('attempts are limited for the station from that host, and the host has more room', async () => {
  await using gateway = await startOcpp({ stations: { CS1: 1, CS2: 1 }, config: { maxAttempts: 2 } })
  assert.equal(await letIn(gateway.station({ password: 'wrong' })), 401)
  assert.equal(await letIn(gateway.station({ password: 'wrong' })), 401)
  assert.equal(await letIn(gateway.station()), 429)
  assert.equal(await letIn(gateway.station({ id: 'CS2' })), 101)
  gateway.clock.nowMs += 60_000
  assert.equal(await letIn(gateway.station()), 101)
})

test('profile 2: TLS and basic auth, nothing less', async () => {
  const config = { tls: tls(), securityProfile: 2, plainPort: 0 }
  await using gateway = await startOcpp({ config, clock: new RealClock() })
  const [secure, plain] = gateway.ocpp.listeners
  assert.deepEqual([secure!.secure, plain!.secure], [true, false])
  assert.equal(await letIn(gateway.station({ url: `ws://127.0.0.1:${plain!.port}` })), 403)
  assert.equal(await letIn(gateway.station({ ...withPem(), password: 'wrong' })), 401)
  const station = gateway.station(withPem())
  assert.equal(await letIn(station), 101)
  station.plugIn(1, KNOWN_TOKEN)
  await station.drained()
  assert.equal(gateway.sink.taken.length, 1)
})

test('profile 3: the certificate is for this station, by our authority, and not expired', async () => {
  const config = { tls: tls(), securityProfile: 3 }
  const clock = new RealClock()
  await using gateway = await startOcpp({ config, clock, stations: { CS1: 1, CS2: 1 } })
  const come = async (pem: Pem | undefined, id = 'CS1'): Promise<number> =>
    letIn(gateway.station({ ...withPem(pem), id }))
  assert.equal(await come(undefined), 401)
  assert.equal(await come(await stranger.issue({ name: 'CN=CS1' })), 401)
  assert.equal(await come(await authority.issue({ name: 'CN=CS2' })), 401)
  assert.equal(await come(await authority.issue({ name: 'CN=CS1, CN=CS2' })), 401)
  assert.equal(await come(await authority.issue({ name: 'O=CS1' })), 401)
  assert.equal(await come(await authority.issue({ name: 'CN=CS1', notBefore: new Date(Date.now() + 1_800_000) })), 401)
  assert.deepEqual(gateway.codes(), ['STATION_AUTH_FAILED'])
  const pem = await authority.issue({ name: 'O=Backfeed, CN=CS1' })
  assert.equal(await come(pem), 101)
  assert.equal(await come(pem, 'CS2'), 401)
  assert.deepEqual(gateway.codes(), ['STATION_AUTH_FAILED'])
})

test('profile 3: an expired certificate says ERR_AUTH_EXPIRED, at the door and while connected', async () => {
  const clock = new Clock()
  clock.nowMs = Date.now()
  await using gateway = await startOcpp({ config: { tls: tls(), securityProfile: 3 }, clock })
  const old = await authority.issue({ name: 'CN=CS1', notAfter: new Date(Date.now() - 1_000) })
  assert.equal(await letIn(gateway.station(withPem(old))), 401)
  assert.deepEqual(gateway.codes(), ['ERR_AUTH_EXPIRED'])
  const short = await authority.issue({ name: 'CN=CS1', notAfter: new Date(Date.now() + 1_800_000) })
  assert.equal(await letIn(gateway.station(withPem(short))), 101)
  assert.deepEqual(gateway.codes(), [])
  clock.nowMs += 1_900_000
  assert.deepEqual(gateway.codes(), ['ERR_AUTH_EXPIRED'])
  // By the gateway's clock it is over now, whatever TLS says.
  assert.equal(await letIn(gateway.station(withPem(short))), 401)
})

test('what the configuration lacks is said at the start, by key', async () => {
  const refused = async (config: Record<string, unknown>, message: RegExp): Promise<void> => {
    await assert.rejects(async () => startOcpp({ config }), { code: 'CONFIG_INVALID', message })
  }
  const hash = await passwordHash()
  await refused({ securityProfile: 2 }, /ocpp\.stations\[0\] \(CS1\): security profile 2 needs ocpp\.tls/)
  await refused({ securityProfile: 3, tls: { ...tls(), clientCaFile: undefined } }, /needs ocpp\.tls\.clientCaFile/)
  await refused({ stations: [{ id: 'CS1' }] }, /no passwordHash/)
  await refused({ stations: [{ id: 'CS1', passwordHash: 'secret' }] }, /passwordHash is not scrypt/)
  await refused(
    {
      stations: [
        { id: 'CS1', passwordHash: hash },
        { id: 'CS1', passwordHash: hash },
      ],
    },
    /twice/,
  )
  await refused(
    { stations: [{ id: 'Other', passwordHash: hash }] },
    /EVSE CS1-1: its station CS1 is not in ocpp\.stations/,
  )
  await chmod(file('server.key'), 0o644)
  await assert.rejects(async () => startOcpp({ config: { tls: tls() } }), {
    code: 'ERR_AUTH_EXPIRED',
    message: /mode 600/,
  })
  await chmod(file('server.key'), 0o600)
})

test('passwords are kept in a file of mode 600', async () => {
  const path = file('passwords')
  await writeFile(path, `# stations\nCS1 ${await passwordHash()}\n\n`, { mode: 0o600 })
  await using gateway = await startOcpp({ config: { passwordsFile: path, stations: [{ id: 'CS1' }] } })
  assert.equal(await letIn(gateway.station({ password: PASSWORD })), 101)
  await chmod(path, 0o640)
  assert.throws(() => readPasswordsFile(path), { code: 'ERR_AUTH_EXPIRED' })
  await writeFile(path, 'CS1 plain-text\n', { mode: 0o600 })
  await chmod(path, 0o600)
  assert.throws(() => readPasswordsFile(path), { code: 'CONFIG_INVALID', message: /line 1/ })
  assert.throws(() => readPasswordsFile(file('absent')), { code: 'CONFIG_UNREADABLE' })
})

test('a password hash holds for its password alone, whatever bytes it has', async () => {
  const random = Buffer.from([0, 255, 58, 10, ...Array<number>(12).fill(200)])
  const stored = await hashPassword(random)
  const checker = new PasswordChecker()
  assert.equal(await checker.check('S', stored, random), 'RIGHT')
  assert.equal(await checker.check('S', stored, random), 'RIGHT') // known again
  assert.equal(await checker.check('S', stored, random.subarray(1)), 'WRONG')
  assert.equal(await checker.check('S', await hashPassword('another-of-16-chars'), random), 'WRONG')
  assert.equal(await checker.check('S', 'scrypt$1$8$1$AAAAAAAAAAA=$AAAA', random), 'WRONG')
  await assert.rejects(hashPassword('fifteen-chars-x'), { code: 'PASSWORD_TOO_SHORT' })
  for (const dear of ['scrypt$16777216$8$1', 'scrypt$16383$8$1', 'scrypt$16384$0$1', 'scrypt$16384$8$99']) {
    assert.equal(parsePasswordHash(`${dear}$${'A'.repeat(24)}$${'A'.repeat(44)}`), undefined)
  }
})
