import { join } from 'node:path'
import { readBlsKeyFile } from '../../l1/attest/blsKeyFile.ts'
import type { L1Client } from '../../l1/client.ts'
import type { L1Follower } from '../../l1/follow.ts'
import type { TxManager } from '../../l1/txManager/manager.ts'
import type { Logger } from '../../runtime/log.ts'
import type { Metrics } from '../../runtime/metrics.ts'
import type { Component } from '../../runtime/service.ts'
import type { ProverConfig } from '../config.ts'
import type { ProverProblem } from '../status.ts'
import { attestMetrics } from './attestMetrics.ts'
import type { AttestStatus } from './attestStatus.ts'
import { Attester } from './attester.ts'
import { Gossip } from './gossip.ts'
import { Poster } from './poster.ts'
import { SignedLog } from './signedLog.ts'
import type { KnownBatch } from './voteBook.ts'

export interface Attesting {
  /** In the order of start. */
  readonly components: readonly Component[]
  readonly onRight: (batch: KnownBatch) => void
  status(): AttestStatus
  problems(): ProverProblem[]
  refresh(): void
}

/** Between looks at missing peers and bad ones. */
const TEND_MS = 5_000

/** Wires what `[attest]` asks for. Reads the key; nothing runs yet. */
export async function openAttesting(
  config: Readonly<ProverConfig>,
  attest: NonNullable<ProverConfig['attest']>,
  parts: { client: L1Client; follower: L1Follower; log: Logger; metrics: Metrics; sender: TxManager | undefined },
): Promise<Attesting> {
  const { client, follower, log, sender } = parts
  const { contracts } = config
  const { dataDir } = config.prover
  const key = readBlsKeyFile(attest.keyFile)
  const metrics = attestMetrics(parts.metrics)
  const signed = await SignedLog.open(join(dataDir, 'attest', 'signed.log'))
  const poster = new Poster({
    client,
    attesters: contracts.attesters,
    rollup: contracts.rollup,
    sender,
    turnMs: attest.turnMs,
    metrics,
    log: log.child({ stage: 'attest' }),
  })
  const attester: Attester = new Attester({
    client,
    contracts,
    follower,
    key,
    signed,
    tellMs: attest.tellMs,
    metrics,
    log,
    publish: (data) => gossip.publish(data),
    poster,
  })
  const gossip: Gossip = new Gossip({
    topic: `backfeed/1/attest/${client.chain.id}/${contracts.attesters.toLowerCase()}`,
    listen: attest.listen,
    announce: attest.announce,
    peers: attest.peers,
    keyFile: attest.peerKeyFile ?? join(dataDir, 'attest', 'peer.key'),
    tendMs: TEND_MS,
    log: log.child({ stage: 'gossip' }),
    onMessage: (data) => attester.onMessage(data),
  })
  const status = (): AttestStatus => ({
    ...attester.status(),
    peers: gossip.peerCount,
    deniedPeers: gossip.deniedCount,
    listening: gossip.multiaddrs,
  })
  return {
    components: [{ name: 'signedLog', stop: () => signed.close() }, gossip, attester],
    onRight: (batch) => attester.onRight(batch),
    status,
    problems: () => attester.problems(),
    refresh: () => metrics.refresh(status()),
  }
}
