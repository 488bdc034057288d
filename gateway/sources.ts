import type { CommandPort } from '../evse/guard/commandPort.ts'
import type { TelemetrySink } from '../evse/guard/telemetry.ts'
import { BackfeedError, ExitCode } from '../runtime/errors.ts'
import type { Logger } from '../runtime/log.ts'
import type { Metrics } from '../runtime/metrics.ts'
import type { Component } from '../runtime/service.ts'
import type { GatewayConfig } from './config.ts'
import { type Control, openControl } from './control/control.ts'
import type { GatewayCore } from './core.ts'
import type { EvseEntry } from './fleet/config.ts'
import type { EdgeEvse } from './fleet/directory.ts'
import { openMqtt } from './mqtt/mqttSource.ts'
import { openGrid } from './grid/openGrid.ts'
import { openModbus } from './modbus/modbus.ts'
import { createOcmfJudge } from './ocmf/ocmfJudge.ts'
import { openOcpp } from './ocpp/csms.ts'
import type { DescribesEvses, ReportsStatus } from './sourceStatus.ts'

export interface Sources {
  /** In the order of start. */
  readonly components: readonly Component[]
  readonly reports: readonly (ReportsStatus & Partial<DescribesEvses>)[]
  readonly control: Control
}

/** Opens every source that is configured, and what they feed: the guards, and the book. @throws BackfeedError CONFIG_INVALID by key */
export function openSources(
  config: Readonly<GatewayConfig>,
  core: GatewayCore,
  { log, metrics }: { readonly log: Logger; readonly metrics: Metrics },
): Sources {
  const { fleet, book, store, outbox, webhooks, client, clock, tables } = core
  const { now, monotonicMs } = clock
  checkSources(config, tables.evses)
  const common = { directory: fleet, now, monotonicMs, metrics, log }
  const noteTemperature = (evse: string, atMs: number, tempC: number): void => book.noteTemperature(evse, atMs, tempC)
  const telemetry: TelemetrySink = (evse, seen) => control.onTelemetry(evse, seen)

  const ocpp =
    config.ocpp &&
    openOcpp(config.ocpp, {
      ...common,
      sink: book,
      telemetry,
      temperature: noteTemperature,
      judge: createOcmfJudge({ metrics, log }),
      store,
    })
  const mqtt =
    config.mqtt &&
    openMqtt(config.mqtt, {
      ...common,
      outbox,
      alsoTaken: webhooks && ((evse, rows) => webhooks.accounts.taken(evse.name, evse.lane, rows)),
      telemetry: (evse, seen) => {
        telemetry(evse, seen)
        if (seen.tempC !== undefined) noteTemperature(evse, now() - (monotonicMs() - seen.atMs), seen.tempC)
      },
      onPosition: (evse, { lat, lon, atMs }) => fleet.reportPosition(evse, { lat, lon }, atMs),
      deployment: { chainId: client.chain.id, rollup: config.contracts.rollup },
    })
  // Who sends its telemetry by MQTT has an agent that obeys there, and faster than a station by OCPP.
  const portOf = (evse: EdgeEvse): CommandPort => {
    const ports = evse.telemetry === 'mqtt' || evse.ocpp === undefined ? [mqtt, ocpp] : [ocpp, mqtt]
    const source = ports.find((port) => port !== undefined)
    if (source === undefined)
      throw invalid(`${evse.name} has a guard, and neither [ocpp] nor [mqtt] is there to command it`)
    return source.commands
  }
  const control: Control = openControl(config.control, {
    configured: tables.evses,
    portOf,
    now,
    monotonicMs,
    metrics,
    log,
  })
  for (const evse of fleet.evses) control.admit(evse)
  fleet.onRegistered((evse) => control.admit(evse))

  const names = new Set(tables.evses.map(({ name }) => name))
  const isConfigured = (name: string): boolean => names.has(name)
  const modbus =
    config.modbus && openModbus(config.modbus, { ...common, isConfigured, onTelemetry: telemetry, noteTemperature })
  const grid =
    config.grid &&
    openGrid(config.grid, {
      client,
      contracts: config.contracts,
      dataDir: config.dataDir,
      evses: () => fleet.evses,
      demand: control.onDemand,
      now,
      log,
      metrics,
    })

  // Guards start after what they command by, and before what brings them telemetry and demands; they are stopped while they still can pause EVSEs.
  const present = [ocpp, mqtt, control, modbus].filter((source) => source !== undefined)
  return {
    components: [...present, ...(grid?.components ?? [])],
    reports: [...present, ...(grid?.reports ?? [])],
    control,
  }
}

/** What an EVSE's entry counts on must be there. */
function checkSources(config: Readonly<GatewayConfig>, evses: readonly EvseEntry[]): void {
  for (const { name, station, signer, telemetry, position } of evses) {
    const needs = (section: 'ocpp' | 'mqtt' | 'modbus', key: string): void => {
      if (config[section] === undefined) throw invalid(`fleet.evses (${name}): ${key} needs an [${section}] section`)
    }
    if (station !== undefined) needs('ocpp', 'station')
    if (telemetry === 'mqtt') needs('mqtt', 'telemetry = "mqtt"')
    if (telemetry === 'modbus') needs('modbus', 'telemetry = "modbus"')
    if (position === 'mqtt') needs('mqtt', 'position = "mqtt"')
    if (station === undefined && signer === undefined) needs('mqtt', 'an EVSE without station and signer')
    if (station !== undefined && signer === undefined)
      throw invalid(`fleet.evses (${name}): a station's EVSE needs a signer`)
  }
}

function invalid(message: string): BackfeedError {
  return new BackfeedError('CONFIG_INVALID', message, { exitCode: ExitCode.usage })
}
