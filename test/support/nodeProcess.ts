import { type ChildProcess, spawn, type StdioOptions } from 'node:child_process'

/**
 * A program for Node in a process of its own, which tests signal as they like. A test that dies does not leave it behind. `before`: a
 * command that becomes the program, such as one that gives it a disk of its own.
 */
export function spawnNode(
  file: string,
  parameters: readonly string[],
  stdio: StdioOptions,
  before: readonly string[] = [],
): ChildProcess {
  const [command, ...rest] = [...before, process.execPath, file, ...parameters]
  const child = spawn(command!, rest, { stdio })
  const kill = (): void => void child.kill('SIGKILL')
  process.once('exit', kill)
  child.once('exit', () => process.off('exit', kill))
  return child
}
