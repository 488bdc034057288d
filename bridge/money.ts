/** 1 234 567 890 micro as `1,234.567890`. */
export function dollars(micro: bigint): string {
  const whole = (micro / 1_000_000n).toLocaleString('en-US')
  return `${whole}.${(micro % 1_000_000n).toString().padStart(6, '0')}`
}
