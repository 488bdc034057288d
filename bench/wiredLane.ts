import { join } from 'node:path'
import { silentLogger } from '../runtime/log.ts'
import { startHttpServer } from '../sequencer/httpServer.ts'
import { Admission } from '../sequencer/ingress/admission.ts'
import { Intake } from '../sequencer/ingress/intake.ts'
import { startLibp2pIngress } from '../sequencer/ingress/libp2p.ts'
import { createIngressMetrics } from '../sequencer/ingress/metrics.ts'
import { recordRoutes } from '../sequencer/ingress/recordRoutes.ts'
import { LaneIntake } from '../sequencer/lane/laneIntake.ts'
import { INGRESS_MAX_RECORDS } from '../sequencer/limits.ts'
import type { RecordSink } from '../sequencer/submission.ts'
import { verifyMetrics } from '../sequencer/verify/metrics.ts'
import { VerifyPool } from '../sequencer/verify/pool.ts'
import { defaults, type LocalLane, openLocalLane } from './localLane.ts'
import type { Target } from './loadProcess.ts'
import { LANE, type Workload } from './workload.ts'
import { Scheme } from '../protocol/scheme.ts'

export interface WiredLane extends AsyncDisposable {
  readonly lane: LocalLane
  readonly sink: RecordSink
  listen(kind: Target['kind']): Promise<Target>
}

/** A sequencer from the wire to durable answers, as its command and main.ts wire it, settings as by default but these; nothing of L1. */
export async function openWiredLane(workload: Workload, verify: { workers?: number } = {}): Promise<WiredLane> {
  const log = silentLogger()
  const { layout } = workload
  const { bls, ...p256 } = defaults.verify
  const lane = await openLocalLane(workload, { maxBatchRows: defaults.batch.maxBlobs * workload.layout.blobRecords })
  const { metrics, stage, view, folder } = lane
  const verifier = new VerifyPool({
    ...(layout.scheme === Scheme.BLS ? bls : p256),
    ...verify,
    layout,
    domains: new Map([[LANE, workload.domain]]),
    metrics: verifyMetrics(metrics)(layout.name),
  })
  const laneIntake = new LaneIntake({ lane: LANE, stage, verifier, view, maxQueuedRows: 131_072, log })
  const sink: RecordSink = { layoutOf: () => layout, submit: (submission) => laneIntake.submit(submission) }
  // One host plays every gateway: it may hold what all of them together may.
  const admission = new Admission({ maxPeerRecords: INGRESS_MAX_RECORDS })
  const ingressMetrics = createIngressMetrics(metrics, () => admission.inFlight)
  const intake = new Intake({ sink, admission, metrics: ingressMetrics, log })
  const open: { close(): Promise<void> }[] = []
  const listen = async (kind: Target['kind']): Promise<Target> => {
    if (kind === 'libp2p') {
      const settings = { listen: ['/ip4/127.0.0.1/tcp/0'], allow: ['/ip4/127.0.0.0/ipcidr/8'] }
      const ingress = await startLibp2pIngress({ ...settings, keyFile: join(folder, 'peer.key'), intake, log })
      open.push(ingress)
      return { kind, address: ingress.multiaddrs[0]! }
    }
    const routes = [recordRoutes({ intake, queries: { evseEndedBefore: () => false } })]
    const server = await startHttpServer({ host: '127.0.0.1', port: 0, routes, log })
    open.push(server)
    return { kind, url: server.url, rowBytes: layout.rowBytes }
  }
  const dispose = async (): Promise<void> => {
    await Promise.all(open.map((ingress) => ingress.close()))
    await verifier.close()
    await lane[Symbol.asyncDispose]()
  }
  return { lane, sink, listen, [Symbol.asyncDispose]: dispose }
}
