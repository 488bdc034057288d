import { connectL1 } from '../l1/client.ts'
import { describeError } from '../runtime/errors.ts'
import type { Logger } from '../runtime/log.ts'
import type { GatewayConfig } from './config.ts'
import { Fleet } from './fleet/fleet.ts'
import { openFleetSigners } from './fleet/signing.ts'
import { readFleetTables } from './fleet/tables.ts'
import { readWebhookSecrets } from '../runtime/webhooks/secrets.ts'

/** One thing that was looked at. */
export interface CheckLine {
  readonly what: string
  /** Undefined: it is well. */
  readonly problem?: string
  /** It may mend by itself: a slot that becomes active later. */
  readonly isWarning?: boolean
}

/** Looks at everything that a start would stumble over, keys, certificates and L1 included, without serving or writing anything. */
export async function* checkGateway(
  config: Readonly<GatewayConfig>,
  parts: { readonly configPath?: string; readonly log: Logger },
): AsyncGenerator<CheckLine> {
  const { log, configPath } = parts
  const now = (): number => Date.now()
  const tables = readFleetTables(config.fleet, configPath)
  yield { what: `${tables.evses.length} EVSEs and ${tables.contracts.length} contracts are configured` }
  for (const webhook of config.webhooks) {
    try {
      readWebhookSecrets(webhook)
    } catch (error) {
      yield { what: `webhook ${webhook.name}`, problem: describeError(error) }
    }
  }

  let client: Awaited<ReturnType<typeof connectL1>>
  try {
    client = await connectL1(config.l1)
  } catch (error) {
    yield { what: 'L1', problem: describeError(error) }
    return
  }
  yield { what: `L1 answers, chain ${client.chain.id}` }
  const fleet = new Fleet({
    tables,
    client,
    contracts: config.contracts,
    finality: config.l1.follow,
    pollMs: config.l1.pollMs,
    positionMaxAgeMs: config.fleet.positionMaxAgeSeconds * 1000,
    now,
    monotonicMs: () => performance.now(),
    log,
  })
  try {
    await fleet.start()
  } catch (error) {
    yield { what: 'lanes on L1', problem: describeError(error) }
    return
  }
  try {
    yield* checkEvses({ tables, fleet, log, now })
  } finally {
    await fleet.stop()
  }
}

async function* checkEvses(parts: {
  tables: ReturnType<typeof readFleetTables>
  fleet: Fleet
  log: Logger
  now: () => number
}): AsyncGenerator<CheckLine> {
  const { tables, fleet, log, now } = parts
  for (const entry of tables.evses) {
    try {
      const signers = await openFleetSigners([entry], fleet, { now, log })
      for (const signer of signers.values()) {
        await signer.close()
        fleet.bindSigner(entry.name, signer.publicKey)
      }
    } catch (error) {
      yield { what: entry.name, problem: describeError(error) }
      continue
    }
    const refused = fleet.refusal(entry.name)
    // Where it is, it tells the gateway when it runs.
    const isLater = refused?.code === 'ERR_GEOFENCE' && entry.position === 'mqtt'
    if (refused === undefined || isLater) continue
    const isWarning = refused.retryable || refused.code === 'EVSE_NOT_ACTIVE'
    yield { what: entry.name, problem: `${refused.message} [${refused.code}]`, isWarning }
  }
  for (const { lane, slot } of tables.contracts) {
    if (fleet.contract(lane, slot) !== undefined) continue
    yield { what: `contract ${slot} of lane ${lane}`, problem: 'there is none in this slot on L1 yet', isWarning: true }
  }
}
