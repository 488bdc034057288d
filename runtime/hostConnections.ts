import { isIPv6 } from 'node:net'

/**
 * What counts as one host: an IPv4 address, or an IPv6 /64, since whoever has one address of a /64 has them all. Identities such as peer
 * ids cost nothing to make, so limits go by this.
 */
export function hostKey(address: string): string {
  const plain = address.startsWith('::ffff:') && address.includes('.') ? address.slice(7) : address
  if (!isIPv6(plain)) return plain
  const [head = '', tail] = plain.split('%', 1)[0]!.split('::')
  const left = head === '' ? [] : head.split(':')
  const right = tail === undefined || tail === '' ? [] : tail.split(':')
  const zeros = tail === undefined ? 0 : Math.max(0, 8 - left.length - right.length)
  const groups = [...left, ...Array<string>(zeros).fill('0'), ...right].slice(0, 4)
  return `${groups.map((group) => Number.parseInt(group, 16).toString(16)).join(':')}::/64`
}

/** Open connections by host. */
export class HostConnections {
  readonly #limit: number
  readonly #open = new Map<string, number>()

  constructor(limit: number) {
    this.#limit = limit
  }

  /** False: the host has as many as it may. */
  tryOpen(host: string): boolean {
    const open = this.#open.get(host) ?? 0
    if (open >= this.#limit) return false
    this.#open.set(host, open + 1)
    return true
  }

  close(host: string): void {
    const open = this.#open.get(host) ?? 0
    if (open <= 1) this.#open.delete(host)
    else this.#open.set(host, open - 1)
  }
}
