/** Chores: work that walks, reads or removes many files, done by a file of ours in a process of its own that gives way on CPU and disk, while this one answers. */
import { spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { childEnv } from './program.ts'

export interface ChoreOptions {
  /** Ends it. */
  signal?: AbortSignal
  /** Somebody waits for it: it gives way to nobody. */
  urgent?: boolean
}

const hooks = new URL('../module-hooks.mjs', import.meta.url).href
const maxText = 64 * 1024 * 1024

/** Runs the file, which calls `answerChore`, with the input; rejects with what it says when it fails. Both are plain JSON. */
export function chore<Input, Output>(
  file: URL,
  input: Input,
  { signal, urgent = false }: ChoreOptions = {},
): Promise<Output> {
  const { promise, resolve, reject } = Promise.withResolvers<string>()
  // Where our files are an npm package, Node reads them by our own hooks only.
  const flags = import.meta.url.includes('/node_modules/') ? [...process.execArgv, '--import', hooks] : []
  const way = urgent ? ['-n', '0'] : ['-n', '5', 'ionice', '-t', '-c', '3']
  const child = spawn('nice', [...way, process.execPath, '--max-old-space-size=64', ...flags, fileURLToPath(file)], {
    ...(signal && { signal }),
    killSignal: 'SIGKILL',
    stdio: ['pipe', 'pipe', 'pipe'],
    env: childEnv,
  })
  let [out, said] = ['', '']
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    out += text
    if (out.length > maxText) child.kill('SIGKILL')
  })
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    said = (said + text).slice(-2000)
  })
  child.once('error', reject)
  child.once('close', (code, by) => {
    if (code === 0) resolve(out)
    else reject(new Error(`${fileURLToPath(file)} ended with ${code ?? by}: ${said.trim()}`))
  })
  // One that has ended already says why by its code.
  child.stdin.on('error', () => {})
  child.stdin.end(JSON.stringify(input))
  return promise.then(text => JSON.parse(text) as Output)
}

/** What the file of a chore does: reads its input, does the work, tells the output. */
export async function answerChore<Input, Output>(work: (input: Input) => Promise<Output>): Promise<void> {
  let text = ''
  for await (const part of process.stdin.setEncoding('utf8')) text += part
  process.stdout.write(JSON.stringify(await work(JSON.parse(text) as Input)))
}
