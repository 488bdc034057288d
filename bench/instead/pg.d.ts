/** What the comparison needs of the PostgreSQL client, which ships no types. */
declare module 'pg' {
  interface Client {
    query(text: string, values?: readonly unknown[]): Promise<{ rows: Record<string, unknown>[] }>
    release(): void
  }
  export class Pool {
    constructor(settings: { connectionString: string; max: number })
    connect(): Promise<Client>
    query(text: string, values?: readonly unknown[]): Promise<{ rows: Record<string, unknown>[] }>
    end(): Promise<void>
  }
}
