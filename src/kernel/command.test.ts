/** Commands of operators: how they end, and that nothing of them stays. */
import assert from 'node:assert/strict'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { systemClock, virtualClock } from './clock.ts'
import { runCommand } from './command.ts'

const sh = (script: string, ...args: string[]): [string, ...string[]] => ['/bin/sh', '-c', script, 'sh', ...args]
const never = new AbortController().signal
const options = { clock: systemClock(), timeoutMs: 60_000, signal: never }

test('an end is told in words, with what was written last', async () => {
  assert.deepEqual(await runCommand(sh('echo "off: $1"', 'host 1; true'), options), {
    ok: true,
    how: 'exit code 0',
    output: 'off: host 1; true',
  })
  const refused = await runCommand(sh('echo no power >&2; exit 3'), options)
  assert.deepEqual(refused, { ok: false, how: 'exit code 3', output: 'no power' })
  assert.deepEqual((await runCommand(sh('kill -9 $$'), options)).how, 'ended by SIGKILL')
  const missing = await runCommand(['/nowhere/fence'], options)
  assert.match(missing.how, /^it could not be started: .*ENOENT/)
  const long = await runCommand(sh('yes | head -c 100000'), options)
  assert.ok(long.output.length <= 1000)
  // The last 1000 of these begin in the middle of a character.
  const binary = await runCommand(
    sh("printf 'off\\000'; for i in $(seq 500); do printf '\\360\\237\\224\\214'; done; printf x"),
    options,
  )
  assert.deepEqual([binary.output.isWellFormed(), binary.output.length], [true, 1000])
  assert.equal((await runCommand(sh("printf 'off\\000 now'"), options)).output, 'off now')
})

test('one that takes too long ends with all that it started', async t => {
  const dir = await mkdtemp(join(tmpdir(), 'nephos-command-'))
  t.after(() => rm(dir, { recursive: true }))
  const clock = virtualClock()
  const file = join(dir, 'pid')
  const running = runCommand(sh('sleep 1000 & echo $! > "$1.new"; mv "$1.new" "$1"; wait', file), {
    ...options,
    clock,
    timeoutMs: 5000,
  })
  const pid = await written(file)
  await clock.advance(5000)
  assert.deepEqual(await running, { ok: false, how: 'no end within 5 seconds', output: '' })
  while (await isThere(pid)) await systemClock().sleep(5)
})

async function written(file: string): Promise<number> {
  for (;;) {
    const text = await readFile(file, 'utf8').catch(() => '')
    if (text !== '') return Number(text)
    await systemClock().sleep(5)
  }
}

/** A zombie has ended. */
async function isThere(pid: number): Promise<boolean> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '')
  return stat !== '' && !/\) [ZX] /.test(stat)
}
