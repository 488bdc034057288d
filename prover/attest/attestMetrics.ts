import type { Metrics } from '../../runtime/metrics.ts'
import type { AttestStatus } from './attestStatus.ts'
import type { Verdict } from './voteBook.ts'

export interface AttestMetrics {
  signed(): void
  received(verdict: Verdict): void
  posted(): void
  /** Brings gauges up to date before they are read. */
  refresh(status: AttestStatus): void
}

export function attestMetrics(metrics: Metrics): AttestMetrics {
  const signed = metrics.counter({ name: 'attest_signed_total', help: 'Batches signed' })
  const votes = metrics.counter({
    name: 'attest_votes_total',
    help: 'Messages of peers, by what became of them: accept, ignore, reject',
    labels: ['verdict'],
  })
  const posted = metrics.counter({ name: 'attest_posted_total', help: 'Attestations of ours that L1 took' })
  const peers = metrics.gauge({ name: 'attest_peers', help: 'Peers that hear our votes' })
  const denied = metrics.gauge({ name: 'attest_denied_peers', help: 'Peers cut off for passing on garbage' })
  const stake = metrics.gauge({ name: 'attest_stake_tokens', help: 'Our stake; 0 when the key has not joined' })
  const index = metrics.gauge({ name: 'attest_signed_index', help: 'Newest batch found right', labels: ['lane'] })
  const share = metrics.gauge({
    name: 'attest_signed_share',
    help: 'Part of the stake that signed the newest batch; more than 2/3 attest',
    labels: ['lane'],
  })
  return {
    signed: () => signed.inc(),
    received: (verdict) => votes.inc({ verdict }),
    posted: () => posted.inc(),
    refresh: (status) => {
      peers.set(status.peers)
      denied.set(status.deniedPeers)
      stake.set(Number(status.stakeMicro ?? 0n) / 1e6)
      for (const lane of status.lanes) {
        index.set({ lane: lane.lane }, Number(lane.index))
        const total = Number(status.totalStakeMicro)
        share.set({ lane: lane.lane }, total === 0 ? 0 : Number(lane.signedMicro) / total)
      }
    },
  }
}
