import type { Logger } from '../../runtime/log.ts'
import { type Metrics, SECONDS_BUCKETS } from '../../runtime/metrics.ts'
import { judgeSignedValue } from './judge.ts'
import { PaginationWatch } from './paginationWatch.ts'
import type { JudgeSignedValue, SignedValuePolicy, VerifiedValue } from './signedValue.ts'

export interface OcmfJudgeDeps {
  readonly metrics: Metrics
  readonly log: Logger
}

/** `judgeSignedValue` for a process: counted, timed, and with an eye on the meters' page counters. One a process. */
export function createOcmfJudge({ metrics, log }: OcmfJudgeDeps): JudgeSignedValue {
  const values = metrics.counter({
    name: 'ocmf_values_total',
    help: 'Signed meter values judged, by outcome: verified, ignored, or the code of what is wrong.',
    labels: ['outcome'],
  })
  const flags = metrics.counter({
    name: 'ocmf_flags_total',
    help: 'What was odd about rightly signed values: KEY_DIFFERS, CURVE_DIFFERS, CLOCK_NOT_SET.',
    labels: ['flag'],
  })
  const pages = metrics.counter({
    name: 'ocmf_pages_total',
    help: 'Rightly signed values by how their page follows the meter’s last: FIRST, NEXT, REPEATED, MISSING (a gap before it), BACK.',
    labels: ['order'],
  })
  const seconds = metrics.histogram({
    name: 'ocmf_judge_seconds',
    help: 'From a signed value to its judgement, waiting for the thread pool included.',
    buckets: SECONDS_BUCKETS,
  })
  const watch = new PaginationWatch()

  const lookAt = (evse: SignedValuePolicy, value: VerifiedValue): void => {
    for (const flag of value.flags) flags.inc({ flag })
    const meter = Buffer.from(evse.meterKey ?? []).toString('base64')
    const page = watch.see(meter, value)
    if (page === undefined) return
    pages.inc({ order: page.order })
    if (page.order !== 'MISSING') return
    const { pagination, serial } = value
    const fields = { meter: serial, page: `${pagination!.kind}${pagination!.number}`, missing: page.count }
    log.info(fields, 'a meter signed values that never came')
  }

  return async (evse, value) => {
    const stop = seconds.startTimer()
    const judgement = await judgeSignedValue(evse, value)
    stop()
    if (judgement.verdict === 'VERIFIED') lookAt(evse, judgement.value)
    const outcome = 'problem' in judgement ? judgement.problem.code : judgement.verdict.toLowerCase()
    values.inc({ outcome })
    return judgement
  }
}
