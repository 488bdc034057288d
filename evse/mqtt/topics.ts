// Topics of an EVSE (docs/mqtt.md): backfeed/v1/{lane}/{evse}/{channel}. The version counts payloads as well: what an old gateway would
// misread goes under another one.

export const TOPIC_ROOT = 'backfeed/v1'

/** Names of EVSEs as topics carry them: no level separator, no wildcard, and what a certificate's common name may hold. */
export const EVSE_NAME = /^[A-Za-z0-9._-]{1,64}$/

/** What an EVSE publishes. */
export const UPLINKS = ['telemetry', 'records', 'status', 'position', 'commands/answers'] as const
/** What the gateway publishes to it. */
export const DOWNLINKS = ['receipts', 'commands', 'errors'] as const
export type Uplink = (typeof UPLINKS)[number]
export type Downlink = (typeof DOWNLINKS)[number]
export type Channel = Uplink | Downlink

export interface EvseAddress {
  readonly lane: number
  /** Name of the EVSE, and of its user at the broker. */
  readonly evse: string
}

export function topicOf({ lane, evse }: EvseAddress, channel: Channel): string {
  return `${TOPIC_ROOT}/${lane}/${evse}/${channel}`
}

/** Subscribes to a channel of all EVSEs. */
export function allEvses(channel: Uplink): string {
  return `${TOPIC_ROOT}/+/+/${channel}`
}

const SHAPE = /^backfeed\/v1\/(0|[1-9][0-9]{0,9})\/([A-Za-z0-9._-]{1,64})\/([a-z]+(?:\/[a-z]+)?)$/
const CHANNELS: ReadonlySet<string> = new Set([...UPLINKS, ...DOWNLINKS])
const MAX_LANE = 0xffffffff

/** Undefined for what is no topic of this version. */
export function parseTopic(topic: string): (EvseAddress & { readonly channel: Channel }) | undefined {
  const found = SHAPE.exec(topic)
  if (found === null) return undefined
  const [, lane, evse, channel] = found
  if (Number(lane) > MAX_LANE || !CHANNELS.has(channel!)) return undefined
  return { lane: Number(lane), evse: evse!, channel: channel as Channel }
}
