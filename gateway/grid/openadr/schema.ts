import { z } from 'zod'
import { MAX_VTN_INTERVALS } from '../limits.ts'

// What is read of OpenADR 3 objects (3.0.1 and 3.1). Fields that are not read are passed over, as the standard asks clients to.

const id = z.string().min(1).max(128)
const shortText = z.string().max(128)

const intervalPeriodSchema = z.object({
  start: shortText.nullish(),
  duration: shortText.nullish(),
  randomizeStart: shortText.nullish(),
})
export type IntervalPeriod = z.infer<typeof intervalPeriodSchema>

const descriptorSchema = z.object({
  payloadType: shortText,
  units: shortText.nullish(),
  currency: shortText.nullish(),
})
export type PayloadDescriptor = z.infer<typeof descriptorSchema>

/** 3.1 names groups by text; 3.0 gives them a type. */
const targetSchema = z.union([shortText, z.object({ type: shortText, values: z.array(z.unknown()).max(1_000) })])

export const programSchema = z.object({
  id,
  programName: shortText,
  payloadDescriptors: z.array(descriptorSchema).max(100).nullish(),
  intervalPeriod: intervalPeriodSchema.nullish(),
})
export type Program = z.infer<typeof programSchema>

const intervalSchema = z.object({
  id: z.number(),
  intervalPeriod: intervalPeriodSchema.nullish(),
  payloads: z.array(z.object({ type: shortText, values: z.array(z.unknown()).max(100) })).max(100),
})
export type VtnInterval = z.infer<typeof intervalSchema>

export const eventSchema = z.object({
  id,
  programID: id,
  eventName: z.string().max(512).nullish(),
  /** 0 is the highest; none is the lowest. */
  priority: z.number().int().min(0).nullish(),
  targets: z.array(targetSchema).max(1_000).nullish(),
  createdDateTime: shortText.nullish(),
  modificationDateTime: shortText.nullish(),
  payloadDescriptors: z.array(descriptorSchema).max(100).nullish(),
  intervalPeriod: intervalPeriodSchema.nullish(),
  /** 3.1: how long the intervals are repeated. */
  duration: shortText.nullish(),
  intervals: z.array(intervalSchema).max(MAX_VTN_INTERVALS),
})
export type VtnEvent = z.infer<typeof eventSchema>

/** RFC 6749, 5.1. */
export const tokenSchema = z.object({
  access_token: z.string().min(1).max(8_192),
  token_type: z.string().max(64).optional(),
  /** Seconds. */
  expires_in: z.coerce.number().positive().max(31_536_000).optional(),
})
