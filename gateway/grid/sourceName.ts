import { z } from 'zod'

/** In zones, logs and metrics; unique among all sources of the grid. */
export const sourceNameSchema = z
  .string()
  .regex(/^[a-z0-9][a-z0-9._-]{0,31}$/i, 'letters, digits, ., _ and -, at most 32')
