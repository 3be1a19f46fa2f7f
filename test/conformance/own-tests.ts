/** `conformance tests`: runs the project's own tests that have a cloud, and notes the operations that give them good answers. */
import { spawn } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { sourceFiles } from '../../tools/source-files.ts'
import { noteCalled } from './results.ts'

const root = join(import.meta.dirname, '../..')

/** Gives whether the tests passed; what they called is noted either way. */
export async function ownTests(): Promise<boolean> {
  const folder = mkdtempSync(join(tmpdir(), 'nephos-calls-'))
  const calls = join(folder, 'calls')
  try {
    const cache = process.env.NODE_COMPILE_CACHE ?? join(root, 'node_modules/.cache/nephos')
    const code = await runTests(filesWithCloud(), {
      ...process.env,
      NEPHOS_TEST_CALLS: calls,
      NODE_COMPILE_CACHE: cache,
    })
    noteCalled('tests', new Set(readFileSync(calls, 'utf8').split('\n').filter(Boolean)))
    return code === 0
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

function filesWithCloud(): string[] {
  const files = [...sourceFiles(root, ['src', 'test'])]
  const uses = /\/(engines|harness|fixtures\/[a-z-]+|cloud)\.ts'/
  return files
    .filter(([path, text]) => /(?<!\.real)\.test\.ts$/.test(path) && uses.test(text))
    .map(([path]) => path)
    .filter(path => !/^test\/(conformance|journeys|bench|simulation)\//.test(path))
}

function runTests(files: string[], env: NodeJS.ProcessEnv): Promise<number> {
  const hooks = join(root, 'src/module-hooks.mjs')
  const words = ['--import', hooks, '--test', '--test-concurrency', '2', '--test-reporter', 'dot', ...files]
  const child = spawn(process.execPath, words, { cwd: root, env, stdio: 'inherit' })
  return new Promise((done, fail) => {
    child.once('error', fail)
    child.once('exit', code => done(code ?? 1))
  })
}
