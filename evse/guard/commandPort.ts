/** ACCEPTED is only what the EVSE said: whether it obeyed is told by metered power. */
export type CommandAnswer = 'ACCEPTED' | 'REJECTED' | 'UNREACHABLE'

/** A way to tell an EVSE what to do: OCPP, MQTT, or the charger's own contactor. Never throws; gives up at the signal. */
export interface CommandPort {
  /** Discharge at most so much, watts; 0 pauses and leaves the transaction open. */
  setLimit(evse: string, watts: number, signal: AbortSignal): Promise<CommandAnswer>
  /** Ends the transaction. `reason` is a code of docs/gateway.md. */
  stop(evse: string, reason: string, signal: AbortSignal): Promise<CommandAnswer>
}
