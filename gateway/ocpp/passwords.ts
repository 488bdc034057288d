import { createHmac, randomBytes, scrypt, timingSafeEqual } from 'node:crypto'
import { BackfeedError, ExitCode } from '../../runtime/errors.ts'
import { readSecretFile } from '../../runtime/secretFile.ts'
import { MAX_HASHING, MAX_HASHING_WAITING } from './limits.ts'

// Passwords of stations (OCPP 2.0.1 part 2, A00.FR.205: 16 to 40 characters drawn at random), kept as `scrypt$N$r$p$salt$hash`, salt
// and hash in base64.

/**
 * 4 MB and about 10 ms: what is drawn at random is not guessed at any price, and a thousand stations that come back together after a restart are
 * to be let in within seconds. A hash made elsewhere may cost more.
 */
const COST = { N: 4_096, r: 8, p: 1 } as const
/** OCPP 2.0.1 part 2, A00.FR.205. */
const MIN_PASSWORD_BYTES = 16
const SALT_BYTES = 16
const HASH_BYTES = 32
/** Of a hash that somebody else made. 128 N r bytes of memory. */
const MAX_MEMORY_BYTES = 64 * 1_048_576

interface StoredPassword {
  readonly N: number
  readonly r: number
  readonly p: number
  readonly salt: Buffer
  readonly hash: Buffer
}

/**
 * What goes into `passwordHash` or the passwords file.
 * @throws BackfeedError PASSWORD_TOO_SHORT
 */
export async function hashPassword(password: string | Uint8Array): Promise<string> {
  if (Buffer.from(password).length < MIN_PASSWORD_BYTES) {
    const message = `a station's password has at least ${MIN_PASSWORD_BYTES} characters, drawn at random`
    throw new BackfeedError('PASSWORD_TOO_SHORT', message, { exitCode: ExitCode.usage })
  }
  const salt = randomBytes(SALT_BYTES)
  const hash = await derive(password, { ...COST, salt, hash: Buffer.alloc(HASH_BYTES) })
  return `scrypt$${COST.N}$${COST.r}$${COST.p}$${salt.toString('base64')}$${hash.toString('base64')}`
}

export function parsePasswordHash(text: string): StoredPassword | undefined {
  const match = /^scrypt\$(\d{1,8})\$(\d{1,2})\$(\d{1,2})\$([A-Za-z0-9+/=]{8,128})\$([A-Za-z0-9+/=]{24,128})$/.exec(
    text,
  )
  if (match === null) return undefined
  const [N, r, p] = [Number(match[1]), Number(match[2]), Number(match[3])]
  const power = N > 1 && (N & (N - 1)) === 0
  if (!power || r < 1 || p < 1 || p > 16 || 128 * N * r > MAX_MEMORY_BYTES) return undefined
  return { N, r, p, salt: Buffer.from(match[4]!, 'base64'), hash: Buffer.from(match[5]!, 'base64') }
}

/**
 * Station → hash, from lines `station hash`; `#` begins a comment.
 * @throws BackfeedError CONFIG_UNREADABLE; ERR_AUTH_EXPIRED when others than the owner may read it; CONFIG_INVALID with the line
 */
export function readPasswordsFile(path: string): Map<string, string> {
  const usage = { exitCode: ExitCode.usage }
  const text = readSecretFile(path, { unreadable: 'CONFIG_UNREADABLE', key: 'ocpp.passwordsFile' }).toString('utf8')
  const hashes = new Map<string, string>()
  for (const [index, line] of text.split('\n').entries()) {
    const trimmed = line.trim()
    if (trimmed === '' || trimmed.startsWith('#')) continue
    const [station, hash, ...more] = trimmed.split(/\s+/)
    if (more.length > 0 || hash === undefined || parsePasswordHash(hash) === undefined || hashes.has(station!)) {
      throw new BackfeedError(
        'CONFIG_INVALID',
        `${path}: line ${index + 1} is not one station and its scrypt$… hash`,
        usage,
      )
    }
    hashes.set(station!, hash)
  }
  return hashes
}

export type PasswordVerdict = 'RIGHT' | 'WRONG' | 'BUSY'

/**
 * Checks passwords beside the event loop. A password that was right once is known again without the hash: stations on bad lines come back
 * often. What is remembered is keyed by a secret of this process, and no help in finding the password.
 */
export class PasswordChecker {
  readonly #secret = randomBytes(32)
  readonly #right = new Map<string, Buffer>()
  readonly #waiting: (() => void)[] = []
  #hashing = 0

  async check(station: string, stored: string, password: Uint8Array): Promise<PasswordVerdict> {
    const mark = createHmac('sha256', this.#secret).update(`${station}\n${stored}\n`).update(password).digest()
    const known = this.#right.get(station)
    if (known !== undefined && timingSafeEqual(known, mark)) return 'RIGHT'
    const parsed = parsePasswordHash(stored)
    if (parsed === undefined) return 'WRONG'
    if (!(await this.#enter())) return 'BUSY'
    try {
      const derived = await derive(password, parsed)
      if (!timingSafeEqual(derived, parsed.hash)) return 'WRONG'
      this.#right.set(station, mark) // as many entries as stations in the configuration
      return 'RIGHT'
    } finally {
      const next = this.#waiting.shift()
      if (next === undefined) this.#hashing--
      else next()
    }
  }

  async #enter(): Promise<boolean> {
    if (this.#hashing < MAX_HASHING) {
      this.#hashing++
      return true
    }
    if (this.#waiting.length >= MAX_HASHING_WAITING) return false
    await new Promise<void>((resolve) => this.#waiting.push(resolve)) // who leaves hands over its place
    return true
  }
}

function derive(password: string | Uint8Array, { N, r, p, salt, hash }: StoredPassword): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    scrypt(password, salt, hash.length, { N, r, p, maxmem: 2 * MAX_MEMORY_BYTES }, (error, derived) => {
      if (error === null) resolve(derived)
      else reject(error)
    })
  })
}
