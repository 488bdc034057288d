import { BackfeedError, ExitCode } from '../../runtime/errors.ts'
import type { Metrics } from '../../runtime/metrics.ts'
import type { Component, ComponentContext } from '../../runtime/service.ts'
import type { ReportsStatus, SourceStatus } from '../sourceStatus.ts'
import type { ModbusConfig } from './config.ts'
import { DevicePoller, type DevicePollerDeps } from './devicePoller.ts'
import { modbusMetrics } from './metrics.ts'

export interface ModbusDeps extends Omit<DevicePollerDeps, 'metrics'> {
  /** Whether the configuration has an EVSE of this name. */
  readonly isConfigured: (evse: string) => boolean
  readonly metrics: Metrics
}

/**
 * Polls meters and controllers over Modbus TCP for the guards' telemetry, and for the temperatures in records. Never waits for a device: one
 * that does not answer is tried again for ever.
 * @throws BackfeedError CONFIG_INVALID: a register of an EVSE that nobody knows, or two devices measure the same of one
 */
export function openModbus(config: ModbusConfig, deps: ModbusDeps): Component & ReportsStatus {
  check(config, deps)
  const metrics = modbusMetrics(deps.metrics)
  const pollers = config.devices.map((device) => new DevicePoller(device, { ...deps, metrics }))
  const stopping = new AbortController()
  let running: Promise<unknown> = Promise.resolve()
  return {
    name: 'modbus',
    start({ fail }: ComponentContext) {
      running = Promise.all(pollers.map((poller) => poller.run(stopping.signal))).catch(fail)
    },
    async stop() {
      stopping.abort()
      await running
    },
    status(): SourceStatus {
      const up = pollers.filter((poller) => poller.isUp).length
      const problems = pollers.flatMap((poller) => poller.problems)
      const isWell = up === pollers.length && problems.length === 0
      return {
        name: 'modbus',
        state: isWell ? 'UP' : up > 0 ? 'DEGRADED' : 'DOWN',
        figures: { devices: pollers.length, up, rounds: pollers.reduce((sum, { rounds }) => sum + rounds, 0) },
        problems,
      }
    },
  }
}

function check(config: ModbusConfig, { isConfigured }: ModbusDeps): void {
  const measuredBy = new Map<string, string>()
  config.devices.forEach((device, deviceIndex) => {
    device.registers.forEach((register, index) => {
      const key = `modbus.devices.${deviceIndex}.registers.${index}.evse`
      if (!isConfigured(register.evse)) throw invalid(`${key}: no EVSE is named ${register.evse}`)
      // The guard takes the newest of each quantity: two sources of one would hide what the other says.
      const what = `${register.evse} ${register.quantity}`
      const other = measuredBy.get(what)
      if (other !== undefined && other !== device.name) {
        throw invalid(`${key}: ${register.quantity} of ${register.evse} comes from device ${other} already`)
      }
      measuredBy.set(what, device.name)
    })
  })
}

function invalid(message: string): BackfeedError {
  return new BackfeedError('CONFIG_INVALID', message, { exitCode: ExitCode.usage })
}
