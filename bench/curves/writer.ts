import { openWriter } from '../settleJournal.ts'
import type { Curve } from './curve.ts'

const WARM_RECORDS = 131_072

export const evses: Curve = {
  name: 'evses',
  title: 'The writer alone, by the number of EVSEs',
  x: { label: 'EVSEs, each with a contract of its own', isLog: true, values: [1_000, 10_000, 100_000, 1_000_000] },
  panels: [
    {
      title: 'Records a second',
      isLog: true,
      series: [
        { figure: 'limitPerCpuSecond', label: 'limit: hashing and a bare journal, a CPU second', role: 'limit' },
        { figure: 'recordsPerThreadSecond', label: "writer's thread", role: 'real' },
        { figure: 'recordsPerCpuSecond', label: 'a CPU second, all threads', role: 'also' },
      ],
    },
    {
      title: 'CPU of the limit over that of the writer',
      limitIsOne: true,
      series: [{ figure: 'cpu', label: 'ratio', role: 'also' }],
    },
    { title: 'Memory of the process, MB', series: [{ figure: 'residentMb', label: 'resident', role: 'real' }] },
  ],
  open: async (x, { quick }) => {
    const writer = await openWriter({ evses: x, records: quick ? 32_768 : 131_072 })
    // Every EVSE once: a tree that is as full, and as large, as it gets.
    for (let left = x; left > 0; left -= WARM_RECORDS) await writer.settle(Math.min(left, WARM_RECORDS))
    return writer
  },
}

const WRITES_EVSES = 10_000

export const writes: Curve = {
  name: 'batch-writes',
  title: 'The writer alone, by the records of one write to the journal',
  x: { label: 'records of one write, at most', isLog: true, values: [1, 4, 16, 64, 256, 1_024, 4_096] },
  panels: [
    {
      title: 'µs of CPU a record',
      isLog: true,
      series: [
        { figure: 'limitCpuMicros', label: 'limit: hashing and a bare journal', role: 'limit' },
        { figure: 'cpuMicros', label: 'writer, all threads', role: 'real' },
      ],
    },
    {
      title: 'Records a second, each write on disk before the next',
      isLog: true,
      series: [
        { figure: 'limitPerSecond', label: 'limit', role: 'limit' },
        { figure: 'recordsPerSecond', label: 'writer', role: 'real' },
      ],
    },
  ],
  open: async (x, { quick }) => {
    const most = quick ? 16_384 : 65_536
    const records = Math.max(2_048, Math.min(most, x * 512))
    const { round, ...writer } = await openWriter({ evses: WRITES_EVSES, records, maxWriteRows: x })
    return {
      ...writer,
      round: async (index) => {
        const figures = await round(index)
        return { ...figures, limitCpuMicros: 1e6 / figures.limitPerCpuSecond! }
      },
    }
  },
}
