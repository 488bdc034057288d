import assert from 'node:assert/strict'
import { test } from 'node:test'
import { BackfeedError, ExitCode, isBackfeedError } from '../../runtime/errors.ts'
import { silentLogger } from '../../runtime/log.ts'
import { type Component, type ComponentContext, startService } from '../../runtime/service.ts'

const log = silentLogger()

function recorder(): { events: string[]; component(name: string, extra?: Partial<Component>): Component } {
  const events: string[] = []
  return {
    events,
    component: (name, extra = {}) => ({
      name,
      start: () => void events.push(`+${name}`),
      stop: () => void events.push(`-${name}`),
      ...extra,
    }),
  }
}

test('starts in order, stops in reverse, once', async () => {
  const { events, component } = recorder()
  {
    await using service = await startService({ name: 's', log, components: [component('a'), component('b')] })
    assert.deepEqual(events, ['+a', '+b'])
    await Promise.all([service.stop(), service.stop()])
    await service.done
  }
  assert.deepEqual(events, ['+a', '+b', '-b', '-a'])
})

test('a failed start stops what had started and keeps the exit code', async () => {
  const { events, component } = recorder()
  const refused = new BackfeedError('L1_UNREACHABLE', 'no node', { exitCode: ExitCode.l1Unreachable })
  const failing = component('b', { start: () => Promise.reject(refused) })
  await assert.rejects(
    startService({ name: 's', log, components: [component('a'), failing, component('c')] }),
    (error) => isBackfeedError(error, 'START_FAILED') && error.exitCode === ExitCode.l1Unreachable,
  )
  assert.deepEqual(events, ['+a', '-b', '-a'])
})

test('an aborted signal stops the service', async () => {
  const { events, component } = recorder()
  const stop = new AbortController()
  const service = await startService({ name: 's', log, components: [component('a')], signal: stop.signal })
  stop.abort()
  await service.done
  assert.deepEqual(events, ['+a', '-a'])
})

test('a fault after the start stops everything and ends with that fault, even if a stop fails', async () => {
  const { events, component } = recorder()
  let context: ComponentContext | undefined
  const faulty = component('b', {
    start: (given) => {
      context = given
    },
    stop: () => Promise.reject(new Error('cannot stop')),
  })
  const service = await startService({ name: 's', log, components: [component('a'), faulty] })
  context?.fail(new Error('broken'))
  await assert.rejects(service.done, /broken/)
  assert.equal(context?.signal.aborted, true)
  assert.deepEqual(events, ['+a', '-a'])
})

test('a component that does not stop is left behind after the time-out', async () => {
  const { events, component } = recorder()
  const stuck = component('b', { stop: () => new Promise<void>(() => {}) })
  const service = await startService({ name: 's', log, components: [component('a'), stuck], stopTimeoutMs: 20 })
  await service.stop()
  assert.deepEqual(events, ['+a', '+b', '-a'])
})
