import { readFileSync } from 'node:fs'
import { parse as parseToml } from 'smol-toml'
import { z } from 'zod'
import { BackfeedError, ExitCode } from './errors.ts'

export const ENVIRONMENT_PREFIX = 'BACKFEED_'

export interface ConfigSource<Schema extends z.ZodObject> {
  /** TOML file; absent means defaults and environment only. */
  path?: string | undefined
  schema: Schema
  environment?: Record<string, string | undefined>
}

/**
 * Schema → parse → frozen. Every key of the schema can be overridden by BACKFEED_SECTION_KEY, with camelCase keys
 * split by underscores (`l1.rpcUrl` is BACKFEED_L1_RPC_URL). Keys the schema does not know are errors wherever the
 * schema is strict (`z.strictObject`), which every section should be: a misspelt limit must not fall back to its default.
 */
export function loadConfig<Schema extends z.ZodObject>(source: ConfigSource<Schema>): Readonly<z.infer<Schema>> {
  const table = source.path === undefined ? {} : readToml(source.path)
  applyEnvironment(source.schema, table, source.environment ?? process.env)
  return parseConfig(source.schema, table, source.path ?? 'environment')
}

/** The same without file or environment: for wiring services inside one process (devnet, tests). */
export function parseConfig<Schema extends z.ZodType>(
  schema: Schema,
  value: unknown,
  origin = 'configuration',
): Readonly<z.infer<Schema>> {
  const result = schema.safeParse(value)
  if (result.success) return deepFreeze(result.data)
  const problems = result.error.issues.flatMap(describeIssue)
  throw new BackfeedError('CONFIG_INVALID', `${origin}: ${problems.join('; ')}`, {
    exitCode: ExitCode.usage,
    details: { problems },
  })
}

/** `l1.rpcUrl` → `BACKFEED_L1_RPC_URL`. */
export function environmentName(path: readonly string[]): string {
  const words = path.map((key) =>
    key
      .replace(/([a-z0-9])([A-Z])/g, '$1_$2')
      .replace(/-/g, '_')
      .toUpperCase(),
  )
  return ENVIRONMENT_PREFIX + words.join('_')
}

function readToml(path: string): Record<string, unknown> {
  let text: string
  try {
    text = readFileSync(path, 'utf8')
  } catch (cause) {
    throw new BackfeedError('CONFIG_UNREADABLE', `cannot read ${path}`, { exitCode: ExitCode.usage, cause })
  }
  try {
    return parseToml(text) as Record<string, unknown>
  } catch (cause) {
    throw new BackfeedError('CONFIG_UNREADABLE', `${path} is not valid TOML`, { exitCode: ExitCode.usage, cause })
  }
}

function applyEnvironment(
  schema: z.ZodObject,
  table: Record<string, unknown>,
  environment: Record<string, string | undefined>,
  path: readonly string[] = [],
): void {
  for (const [key, field] of Object.entries(schema.shape)) {
    const here = [...path, key]
    const section = asObject(field as z.ZodType)
    if (section !== undefined) {
      const existing = table[key]
      const nested = isTable(existing) ? existing : {}
      applyEnvironment(section, nested, environment, here)
      if (existing === undefined && Object.keys(nested).length > 0) table[key] = nested
      continue
    }
    const text = environment[environmentName(here)]
    if (text !== undefined) table[key] = readText(field as z.ZodType, text)
  }
}

/** An environment variable is text: taken as it is when the schema accepts text there, else read as a TOML value. */
function readText(schema: z.ZodType, text: string): unknown {
  if (schema.safeParse(text).success) return text
  try {
    return (parseToml(`v = ${text}`) as { v: unknown }).v
  } catch {
    return text
  }
}

function asObject(schema: z.ZodType): z.ZodObject | undefined {
  let inner: unknown = schema
  while (
    inner instanceof z.ZodOptional ||
    inner instanceof z.ZodDefault ||
    inner instanceof z.ZodPrefault ||
    inner instanceof z.ZodNullable
  ) {
    inner = inner.def.innerType
  }
  return inner instanceof z.ZodObject ? inner : undefined
}

function describeIssue(issue: z.core.$ZodIssue): string[] {
  if (issue.code === 'unrecognized_keys') {
    return issue.keys.map((key) => `${[...issue.path, key].join('.')}: unknown key`)
  }
  return [`${issue.path.length === 0 ? '(root)' : issue.path.join('.')}: ${issue.message}`]
}

function isTable(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function deepFreeze<T>(value: T): Readonly<T> {
  if (typeof value === 'object' && value !== null && !ArrayBuffer.isView(value) && !Object.isFrozen(value)) {
    for (const inner of Object.values(value)) deepFreeze(inner)
    Object.freeze(value)
  }
  return value
}
