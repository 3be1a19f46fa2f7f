/** The real openstack client as somebody whom only its variables describe. */
import { execFile } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Ran } from './stage.ts'

/** Never throws for the program's exit code. Nothing of the variables of the one who runs the test is passed on. */
export function run(program: string, args: string[], env: Record<string, string>): Promise<Ran> {
  return new Promise(done => {
    const own = Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('OS_')))
    execFile(program, args, { timeout: 120_000, env: { ...own, ...env } }, (error, out, err) =>
      done({ code: error ? (typeof error.code === 'number' ? error.code : 1) : 0, out, err }),
    )
  })
}

/** Throws when the client fails. */
export async function os(args: string[], env: Record<string, string>): Promise<string> {
  const ran = await run('openstack', args, env)
  if (ran.code !== 0) throw new Error(`openstack ${args.join(' ')} failed:\n${ran.err}${ran.out}`)
  return ran.out
}

export async function json<T>(args: string[], env: Record<string, string>): Promise<T> {
  return JSON.parse(await os([...args, '-f', 'json'], env)) as T
}

export function temporaryFolder(): AsyncDisposable & { path: string } {
  const path = mkdtempSync(join(tmpdir(), 'nephos-journey-'))
  return { path, [Symbol.asyncDispose]: async () => rmSync(path, { recursive: true, force: true }) }
}
