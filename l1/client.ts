import { readFileSync } from 'node:fs'
import { type Chain, createPublicClient, defineChain, type Hex, http, type PublicClient, type Transport } from 'viem'
import { type PrivateKeyAccount, privateKeyToAccount } from 'viem/accounts'
import { z } from 'zod'
import { BackfeedError, ExitCode } from '../runtime/errors.ts'
import { l1Error } from './errors.ts'

/** `[l1]` of every service's configuration. */
export const l1ConfigSchema = z.strictObject({
  rpcUrl: z.url().default('http://127.0.0.1:8545').describe('JSON-RPC over HTTP.'),
  timeoutMs: z.number().int().min(100).max(120_000).default(30_000).describe('Of one request, milliseconds.'),
  retryCount: z
    .number()
    .int()
    .min(0)
    .max(10)
    .default(2)
    .describe(
      'Further attempts of one request after a transport fault; 0: none. Loops above retry for as long as it takes.',
    ),
  retryDelayMs: z
    .number()
    .int()
    .min(10)
    .max(10_000)
    .default(150)
    .describe('Before the first further attempt, milliseconds; doubles.'),
  chainId: z
    .number()
    .int()
    .positive()
    .optional()
    .describe('If given, another chain is refused: guards against a wrong URL.'),
})
export type L1Config = z.infer<typeof l1ConfigSchema>

export type L1Client = PublicClient<Transport, Chain>
export type L1Account = PrivateKeyAccount

/** Connects and learns the chain id from the node. */
export async function connectL1(config: L1Config): Promise<L1Client> {
  const transport = http(config.rpcUrl, {
    timeout: config.timeoutMs,
    retryCount: config.retryCount,
    retryDelay: config.retryDelayMs,
  })
  let chainId: number
  try {
    chainId = await createPublicClient({ transport }).getChainId()
  } catch (cause) {
    throw l1Error(`reading the chain id of ${config.rpcUrl}`, cause)
  }
  if (config.chainId !== undefined && config.chainId !== chainId) {
    throw new BackfeedError('WRONG_CHAIN', `${config.rpcUrl} is chain ${chainId}, not ${config.chainId}`, {
      exitCode: ExitCode.usage,
    })
  }
  const chain = defineChain({
    id: chainId,
    name: `chain ${chainId}`,
    nativeCurrency: { name: 'Ether', symbol: 'ETH', decimals: 18 },
    rpcUrls: { default: { http: [config.rpcUrl] } },
  })
  // viem caches block numbers for a polling interval and follows CCIP redirects: neither is wanted here.
  return createPublicClient({ chain, transport, cacheTime: 0, ccipRead: false })
}

/** The key of a file that holds one, in hex, so that keys stay out of configuration and environment. @throws BackfeedError KEY_UNREADABLE, KEY_INVALID */
export function readKeyFile(path: string): Hex {
  let text: string
  try {
    text = readFileSync(path, 'utf8').trim()
  } catch (cause) {
    throw new BackfeedError('KEY_UNREADABLE', `cannot read the key file ${path}`, { exitCode: ExitCode.usage, cause })
  }
  return keyOf(text, path)
}

export function accountFromKeyFile(path: string): L1Account {
  return privateKeyToAccount(readKeyFile(path))
}

export function accountFromKey(text: string): L1Account {
  return privateKeyToAccount(keyOf(text, 'key'))
}

function keyOf(text: string, origin: string): Hex {
  const hex = text.startsWith('0x') ? text : `0x${text}`
  if (!/^0x[0-9a-fA-F]{64}$/.test(hex)) {
    throw new BackfeedError('KEY_INVALID', `${origin} does not hold a 32-byte hex key`, { exitCode: ExitCode.usage })
  }
  return hex as Hex
}
