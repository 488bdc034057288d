import { type ChildProcess, spawn } from 'node:child_process'
import type { Writable } from 'node:stream'

/** A program that ends when we do, whichever way that is. */
export interface LeashedProcess {
  readonly child: ChildProcess
  /** Resolves when it is gone; with its exit code, or undefined when a signal ended it or it never ran. */
  readonly exited: Promise<number | undefined>
  /** Asks it to end (SIGTERM), and waits. */
  release(): Promise<number | undefined>
  /** SIGKILL, and waits. */
  kill(): Promise<void>
}

/**
 * Runs the program until it ends or our end of the pipe closes: who is killed leaves nothing behind. The program is in a session of its
 * own, so that Ctrl-C reaches us alone and we can end things in order.
 */
const LEASH = 'exec 3<&0; "$@" </dev/null 3<&- & it=$!; (cat <&3 >/dev/null; kill $it 2>/dev/null) & wait $it'

export function spawnLeashed(
  command: string,
  parameters: readonly string[],
  options: { stdout?: 'ignore' | 'pipe' | number; stderr?: 'inherit' | 'pipe' | number } = {},
): LeashedProcess {
  const child = spawn('/bin/sh', ['-c', LEASH, 'sh', command, ...parameters], {
    stdio: ['pipe', options.stdout ?? 'ignore', options.stderr ?? 'inherit'],
    detached: true,
  })
  const stdin = child.stdin as Writable
  stdin.on('error', () => {}) // it may be gone before us
  const exited = new Promise<number | undefined>((resolve) => {
    child.once('exit', (code) => resolve(code ?? undefined))
    child.once('error', () => resolve(undefined))
  })
  // The shell ends with the program; the end of the pipe then ends what watched it.
  void exited.then(() => stdin.destroy())
  return {
    child,
    exited,
    release: () => {
      stdin.destroy()
      return exited
    },
    kill: async () => {
      try {
        if (child.pid !== undefined) process.kill(-child.pid, 'SIGKILL')
      } catch {
        // Gone already.
      }
      await exited
    },
  }
}
