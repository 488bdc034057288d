import { z } from 'zod'
import { MAX_REQUEST_RECORDS } from '../../protocol/wire.ts'

const HOUR = 3_600
const DAY = 86_400
const seconds = (max: number) => z.number().min(0).max(max)

export const deliveryConfigSchema = z.strictObject({
  maxRowsPerEvse: z
    .number()
    .int()
    .min(1)
    .max(MAX_REQUEST_RECORDS)
    .default(MAX_REQUEST_RECORDS)
    .describe(
      'Records of one EVSE in a request. 1: a record that is refused for the lane’s budget is never overtaken by a cheaper one behind it.',
    ),
  firstDelaySeconds: seconds(60)
    .default(0.5)
    .describe('After a failed request, s; doubles up to maxDelaySeconds, and up to half as much again at random.'),
  maxDelaySeconds: seconds(HOUR).default(60).describe('The longest wait after failed requests, s.'),
  holdSeconds: seconds(HOUR)
    .default(30)
    .describe('Until a record is tried again whose refusal time may heal, s; doubles up to maxHoldSeconds.'),
  maxHoldSeconds: seconds(DAY).default(600).describe('The longest wait between such tries, s.'),
  aheadLimitSeconds: seconds(30 * DAY)
    .default(4 * HOUR)
    .describe('How long a record whose end the lane’s clock has not reached is tried, s. 0: refused at once.'),
  registrationLimitSeconds: seconds(30 * DAY)
    .default(6 * HOUR)
    .describe(
      'How long UNKNOWN_EVSE and UNKNOWN_CONTRACT are tried: what is new on L1 takes effect late, s. 0: refused at once.',
    ),
  budgetLimitSeconds: seconds(365 * DAY)
    .default(30 * DAY)
    .describe('How long BUDGET_EXHAUSTED is tried, until the lane is funded, s. 0: refused at once.'),
})
export type DeliveryConfig = z.infer<typeof deliveryConfigSchema>
