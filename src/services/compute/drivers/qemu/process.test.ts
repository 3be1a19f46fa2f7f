/** Finding the processes of guests. */
import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { systemClock } from '#kernel/clock.ts'
import { endTools, findProcesses, isAlive, killProcess, processOf } from './process.ts'

const clock = systemClock()
const instances = mkdtempSync(join(tmpdir(), 'nephos-process-'))
const children: ChildProcess[] = []

/** A process that looks like a guest's QEMU. */
async function pretend(uuid: string, cwd: string): Promise<number> {
  const code = 'process.stdout.write("up"); process.stdin.resume()'
  const child = spawn(process.execPath, ['-e', code, '--', '-uuid', uuid], { cwd, stdio: ['pipe', 'pipe', 'inherit'] })
  children.push(child)
  await once(child.stdout!, 'data')
  return child.pid!
}

before(() => {
  for (const name of ['guest-1', 'guest-2']) mkdirSync(join(instances, name))
})
after(() => {
  for (const child of children) child.kill('SIGKILL')
  rmSync(instances, { recursive: true })
})

test('a guest is a process with its id that works in its directory; nothing else is', async () => {
  const guest = await pretend('guest-1', join(instances, 'guest-1'))
  await pretend('guest-2', join(instances, 'guest-1'))
  await pretend('guest-1', tmpdir())
  const found = await findProcesses(instances, clock)
  assert.deepEqual([...found.keys()], ['guest-1'])
  assert.equal(found.get('guest-1')?.pid, guest)
})

test('a guest is found while it is still another program', async () => {
  mkdirSync(join(instances, 'guest-3'))
  const script = 'sleep 0.2; exec "$0" -e "process.stdin.resume()" -- -uuid guest-3'
  const child = spawn('sh', ['-c', script, process.execPath], {
    cwd: join(instances, 'guest-3'),
    stdio: ['pipe', 'ignore', 'inherit'],
  })
  children.push(child)
  await once(child, 'spawn')
  assert.equal((await findProcesses(instances, clock)).get('guest-3')?.pid, child.pid)
})

test('a guest whose directory was removed is still found, and can be killed', async () => {
  await pretend('guest-2', join(instances, 'guest-2'))
  rmSync(join(instances, 'guest-2'), { recursive: true })
  const process = (await findProcesses(instances, clock)).get('guest-2')
  assert.ok(process && (await isAlive(process)))
  await killProcess(process, clock)
  assert.equal(await isAlive(process), false)
})

test('a tool that an earlier life began in the directory of a guest is ended; the guest is not', async () => {
  const guest = await pretend('guest-1', join(instances, 'guest-1'))
  const tool = spawn(process.execPath, ['-e', 'process.stdin.resume()'], {
    argv0: 'qemu-img',
    cwd: join(instances, 'guest-1'),
    stdio: ['pipe', 'ignore', 'inherit'],
  })
  children.push(tool)
  const [left] = await Promise.all([processOf(tool.pid!), endTools(instances, clock)])
  assert.ok(left)
  assert.equal(await isAlive(left), false)
  assert.equal(await isAlive((await processOf(guest))!), true)
})

test('another process with the same pid is not the guest, and is not killed', async () => {
  const pid = await pretend('guest-1', tmpdir())
  const real = await processOf(pid)
  assert.ok(real)
  const earlier = { pid, started: '1' }
  assert.equal(await isAlive(earlier), false)
  await killProcess(earlier, clock)
  assert.equal(await isAlive(real), true)
})
