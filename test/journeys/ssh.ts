/** ssh into a guest from inside a stage. */
import type { Ran, Stage } from './stage.ts'

const options = [
  'StrictHostKeyChecking=no',
  'UserKnownHostsFile=/dev/null',
  'ConnectTimeout=10',
  'BatchMode=yes',
  'LogLevel=ERROR',
].flatMap(option => ['-o', option])

/** Runs a command as `user@address`, with the private key in a file. */
export function ssh(stage: Stage, key: string, to: string, command: string): Promise<Ran> {
  return stage.run('ssh', ['-i', key, ...options, to, command], { timeout: 60_000 })
}
