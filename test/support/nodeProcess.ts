import { type ChildProcess, spawn, type StdioOptions } from 'node:child_process'

/** A program for Node in a process of its own, which tests signal as they like. A test that dies does not leave it behind. */
export function spawnNode(file: string, parameters: readonly string[], stdio: StdioOptions): ChildProcess {
  const child = spawn(process.execPath, [file, ...parameters], { stdio })
  const kill = (): void => void child.kill('SIGKILL')
  process.once('exit', kill)
  child.once('exit', () => process.off('exit', kill))
  return child
}
