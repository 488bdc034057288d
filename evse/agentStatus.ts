import type { ClockCheck } from './clock/clockCheck.ts'
import type { Delivery } from './delivery/delivery.ts'
import type { HardwareGuard } from './hardwareGuard.ts'
import type { EvseMeterStatus } from './metering/meterStatus.ts'
import type { MqttAgent } from './mqtt/mqttAgent.ts'
import type { LevelOutbox, OutboxFigures } from './outbox/levelOutbox.ts'
import type { OwnPosition } from './position/ownPosition.ts'
import type { EdgeProblem } from './problem.ts'
import type { RecordSigner } from './signer/recordSigner.ts'

/** Of `/status`. */
export interface AgentStatus {
  readonly evse: string
  readonly clock: ReturnType<ClockCheck['figures']>
  readonly meter: EvseMeterStatus | undefined
  readonly outbox: OutboxFigures
  /** Wall clock, milliseconds since the Unix epoch; undefined before the first answer. */
  readonly lastAnswerMs: number | undefined
  readonly guard: ReturnType<HardwareGuard['figures']> | undefined
  readonly mqtt: { readonly up: boolean } | undefined
  readonly certificateEndsMs: number | undefined
  /** Empty: healthy. */
  readonly problems: readonly EdgeProblem[]
}

interface Parts {
  readonly evse: string
  readonly clock: ClockCheck
  readonly position: OwnPosition
  readonly outbox: LevelOutbox
  readonly delivery: Delivery
  readonly meter: EvseMeterStatus | undefined
  readonly guard: HardwareGuard | undefined
  readonly mqtt: MqttAgent | undefined
  readonly key: RecordSigner
}

/** From here on somebody should look: there is time left to mend the way to the sequencer. */
const FILLING_SHARE = 0.8

export function agentStatus(parts: Parts): AgentStatus {
  const { evse, clock, position, outbox, delivery, meter, guard, mqtt, key } = parts
  const figures = outbox.figures()
  const problems: EdgeProblem[] = [...clock.problems()]
  const place = position.problem()
  if (place !== undefined) problems.push(place)
  if (figures.waitingBytes >= figures.maxBytes * FILLING_SHARE) {
    const message = `${figures.waitingRows} records without a receipt take over ${FILLING_SHARE * 100} % of the room there is`
    problems.push({ code: 'OUTBOX_FILLING', message })
  }
  problems.push(...delivery.problems())
  if (mqtt !== undefined && !mqtt.isUp) {
    problems.push({ code: 'BROKER_UNREACHABLE', message: mqtt.fault?.message ?? 'no connection to the broker' })
  } else if (mqtt?.fault !== undefined) {
    problems.push({ code: mqtt.fault.code, message: mqtt.fault.message })
  }
  for (const { code, message } of meter?.problems ?? []) problems.push({ code, message })
  problems.push(...(guard?.problems() ?? []))
  return {
    evse,
    clock: clock.figures(),
    meter,
    outbox: figures,
    lastAnswerMs: [...delivery.lastAnswers().values()][0],
    guard: guard?.figures(),
    mqtt: mqtt && { up: mqtt.isUp },
    certificateEndsMs: key.expiresAtMs,
    problems: problems.map((problem) => ({ ...problem, evse })),
  }
}
