export function say(text: string): void {
  process.stdout.write(`${text}\n`)
}

/** Seconds since the epoch as ISO 8601, UTC. */
export function isoTime(seconds: number): string {
  return new Date(seconds * 1000).toISOString().replace('.000Z', 'Z')
}
