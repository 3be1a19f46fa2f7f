/** Runs `npm run conformance` for tests. */
import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { findProgram } from '../../src/cli/debian-packages.ts'

/** What to say when a program is missing, or false. */
export function absentPrograms(names: string[]): string | false {
  const absent = ['python3', 'unshare', 'ip', ...names].filter(program => findProgram(program) === undefined)
  return absent.length > 0 && `needs ${absent.join(', ')}`
}

export function conformance(words: string[]): Promise<{ code: number; out: string }> {
  const script = join(import.meta.dirname, 'conformance.ts')
  return new Promise(done => {
    execFile(process.execPath, [script, ...words], { maxBuffer: 64 * 1024 * 1024 }, (error, stdout, stderr) =>
      done({ code: error ? Number(error.code ?? 1) : 0, out: stdout + stderr }),
    )
  })
}
