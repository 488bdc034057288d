import { isUnreachable, shortMessage } from '../errors.ts'

/** What a node's refusal of a raw transaction means for us. Nodes agree on no codes, only roughly on words. */
export type BroadcastOutcome =
  | 'accepted'
  | 'nonceTooLow'
  | 'underpriced'
  | 'insufficientFunds'
  /** Pool full, account limits, nonce gap, rate limit, a node that is behind or unwell: try again later. */
  | 'busy'
  | 'unreachable'
  /** Invalid whenever it is sent. */
  | 'refused'

const WORDS: readonly (readonly [pattern: RegExp, outcome: BroadcastOutcome])[] = [
  [/already known|already imported|known transaction|already exists|already in (the )?(tx)?pool/i, 'accepted'],
  [/nonce too low|nonce is too low|old nonce|invalid nonce.*too low|OldNonce/i, 'nonceTooLow'],
  [/underpriced|replacement.*(fee|price)|fee too low to replace|gas price too low to replace/i, 'underpriced'],
  [
    /max fee per gas less than block base fee|fee ?cap.*less than.*base ?fee|max fee per blob gas less|below base fee/i,
    'underpriced',
  ],
  [/insufficient funds|insufficient balance|overdraft/i, 'insufficientFunds'],
  [
    /pool is full|txpool is full|pool (overflow|limit)|account limit exceeded|too many|rate limit|request limit exceeded|nonce too high|gapped|address already reserved|in-flight transaction limit|temporar|try again/i,
    'busy',
  ],
  // Says nothing about the transaction: what a node, or the balancer before it, says when its state is not there.
  [
    /header not found|unknown block|missing trie node|state .*(not available|unavailable)|syncing|not synced|internal (json-rpc )?error|unavailable/i,
    'busy',
  ],
]

export function classifyBroadcastError(error: unknown): BroadcastOutcome {
  if (isUnreachable(error)) return 'unreachable'
  const message = shortMessage(error)
  return WORDS.find(([pattern]) => pattern.test(message))?.[1] ?? 'refused'
}
