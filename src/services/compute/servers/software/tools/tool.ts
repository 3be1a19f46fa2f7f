/** A tool that brings about software in a guest: what it does in a run, one event after the other. */
import type { GuestProgram, ProgramEnd } from '../../../drivers/driver.ts'
import type { WantedPackage } from '../software.ts'

/** What a tool is told: all that the server is to be. */
export interface NodeDefinition {
  packages: WantedPackage[]
  /** Names of what is to go. */
  leaving: string[]
  manifest: string | null
}

/** One thing that is done, and has its event in the list of the server's actions. */
export interface Task {
  event: string
  /** The package that it is about; absent: the whole. */
  package?: string
  /** Of a package that is wanted: its version, or null for any. Absent: it is to go. */
  version?: string | null
  /** Others may go well without it. */
  optional?: true
}

/** What came of it: the package's version in the guest (null: it is not there) and the one it had before, where it was changed; or why it failed. */
export type Outcome = { version: string | null; had?: string } | { failed: string }

/** The guest as tools have it. Programs are vectors of arguments, never lines for a shell. */
export interface Inside {
  /** The ID of its os-release. */
  system: string
  run(path: string, args: readonly string[], options?: { env?: string[]; minutes?: number }): Promise<ProgramEnd>
  write(path: string, text: string): Promise<void>
}

/** What the cloud does for itself in a guest needs more. */
export interface WholeInside extends Inside {
  /** Like `run`, but never begun a second time: a program that takes its agent away has not begun, or not ended, for all that is known. */
  runOnce: Inside['run']
  put(path: string, bytes: Buffer): Promise<void>
  /** Of the agent itself. */
  agentVersion(): Promise<string>
  sleep(ms: number): Promise<void>
}

export interface Tool {
  /** Depends on the definition alone: a run that goes on after a crash has the same tasks. */
  tasks(definition: Omit<NodeDefinition, 'manifest'>): Task[]
  act(inside: Inside, task: Task, definition: NodeDefinition): Promise<Outcome>
}

export type Command = Pick<GuestProgram, 'path' | 'args' | 'env'>

const mostText = 300

/** Why a program failed, in its own last words: what it says is the guest's, so it is kept short and printable. */
export function reasonOf(program: string, { code, errors, output }: ProgramEnd): string {
  const last = (errors.trim() || output.trim()).split('\n').slice(-3).join(' ')
  const said = last.replace(/[\p{C}\s]+/gu, ' ').trim()
  const ended = code === null ? program : `${program} ended with ${code}`
  return (said ? `${ended}: ${said}` : `${ended}.`).slice(0, mostText)
}
