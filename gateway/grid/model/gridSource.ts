import type { Component } from '../../../runtime/service.ts'
import type { ReportsStatus } from '../../sourceStatus.ts'
import type { GridPicture } from './gridEvent.ts'

/** Where grid events and prices come from: an IEEE 2030.5 server, an OpenADR VTN, a price feed. */
export interface GridSource extends Component, ReportsStatus {
  readonly name: string
  /** What is known now. A source that no longer answers keeps what it heard: the utility's events stand until it says otherwise. */
  picture(): GridPicture
  /** Called after the picture changed. Returns how to stop listening. */
  onChange(listener: () => void): () => void
  /** Ask now instead of at the next poll. */
  poke(): void
}
