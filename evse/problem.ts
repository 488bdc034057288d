/** Something an operator must look at. `code` is one of docs/evse.md. */
export interface EdgeProblem {
  readonly code: string
  readonly message: string
  readonly evse?: string
}
