import type { StationConfig } from './config.ts'

// SetChargingProfile in three versions of OCPP. Pure.

export interface LimitOrder {
  readonly evseId: number
  /** Undefined: none is open; then it holds for the next one. */
  readonly transaction: string | undefined
  /** Discharge at most so much, W. */
  readonly watts: number
  readonly discharge: StationConfig['discharge']
  /** OCPP 2.1. 0: no end. */
  readonly maxOfflineS: number
}

/** Under each EVSE's own ids a profile replaces the one before it, also where a restarted gateway knows nothing of that. */
const PROFILES_OF_AN_EVSE = 4
const ProfileRole = { idle: 1, active: 2, next: 3 } as const

/**
 * OCPP 2.0.1 has no set-point for discharge, which it leaves to ISO 15118 and the station. 0 pauses in any case; what else a limit means is told by the
 * station's configuration.
 */
export function profile201(order: LimitOrder): object {
  return {
    evseId: order.evseId,
    chargingProfile: {
      ...identity(order),
      stackLevel: 0,
      ...purpose(order),
      chargingSchedule: [
        { id: 1, chargingRateUnit: 'W', chargingSchedulePeriod: [{ startPeriod: 0, limit: limitOf(order) }] },
      ],
    },
  }
}

/** OCPP 2.1: discharge is a set-point below zero (Q, V2X), and the profile ends when the station is cut off too long. */
export function profile21(order: LimitOrder): object {
  const watts = floorTenths(order.watts)
  const period =
    watts === 0
      ? { startPeriod: 0, operationMode: 'Idle' }
      : { startPeriod: 0, operationMode: 'CentralSetpoint', setpoint: -watts }
  return {
    evseId: order.evseId,
    chargingProfile: {
      ...identity(order),
      stackLevel: 1,
      ...purpose(order),
      ...(order.maxOfflineS === 0 || order.transaction === undefined
        ? {}
        : { maxOfflineDuration: order.maxOfflineS, invalidAfterOfflineDuration: true }),
      chargingSchedule: [{ id: 1, chargingRateUnit: 'W', chargingSchedulePeriod: [period] }],
    },
  }
}

/** OCPP 2.1: what is left when the profile above it has ended. */
export function idleProfile21(order: LimitOrder): object {
  return {
    evseId: order.evseId,
    chargingProfile: {
      id: order.evseId * PROFILES_OF_AN_EVSE + ProfileRole.idle,
      stackLevel: 0,
      ...purpose(order),
      chargingSchedule: [
        { id: 1, chargingRateUnit: 'W', chargingSchedulePeriod: [{ startPeriod: 0, operationMode: 'Idle' }] },
      ],
    },
  }
}

export function profile16(order: LimitOrder): object {
  return {
    connectorId: order.evseId,
    csChargingProfiles: {
      chargingProfileId: identity(order).id,
      stackLevel: 0,
      chargingProfilePurpose: order.transaction === undefined ? 'TxDefaultProfile' : 'TxProfile',
      chargingProfileKind: 'Relative',
      ...(order.transaction === undefined ? {} : { transactionId: Number(order.transaction) }),
      chargingSchedule: {
        chargingRateUnit: 'W',
        chargingSchedulePeriod: [{ startPeriod: 0, limit: limitOf(order) }],
      },
    },
  }
}

function identity({ evseId, transaction }: LimitOrder): { id: number } {
  return { id: evseId * PROFILES_OF_AN_EVSE + (transaction === undefined ? ProfileRole.next : ProfileRole.active) }
}

function purpose({ transaction }: LimitOrder): object {
  if (transaction === undefined) return { chargingProfilePurpose: 'TxDefaultProfile', chargingProfileKind: 'Relative' }
  return { chargingProfilePurpose: 'TxProfile', chargingProfileKind: 'Relative', transactionId: transaction }
}

function limitOf({ watts, discharge }: LimitOrder): number {
  const limit = floorTenths(watts)
  return discharge === 'negative' && limit > 0 ? -limit : limit
}

/** OCPP 1.6 takes tenths; never more than was ordered. */
function floorTenths(watts: number): number {
  return Math.floor(watts * 10) / 10
}
