/** Freezing and thawing in order, whatever happens between, with an agent of the test's own in the guest's place. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { systemClock } from '#kernel/clock.ts'
import { silentLog } from '#kernel/log.ts'
import { GuestError } from '../driver.ts'
import type { Machine } from './command-line.ts'
import type { GuestFiles, QemuHost } from './host.ts'
import { thawed, whileFrozen } from './quiesce.ts'
import { answering, bootedIn, refuse } from './test-agent.ts'
import { imageOf } from './test-guest.ts'

/** A guest with an agent that refuses the commands named. */
async function guest(properties: Record<string, string>, refuses: string[] = []) {
  const dir = mkdtempSync(join(tmpdir(), 'nephos-quiesce-'))
  mkdirSync(join(dir, 'run'))
  const heard: string[] = []
  const server = createServer(socket => {
    socket.on('data', data => {
      for (const line of String(data).split('\n').slice(0, -1)) {
        const { execute, arguments: args } = JSON.parse(line)
        if (execute !== 'guest-sync') heard.push(execute)
        const error = refuses.includes(execute) ? { error: { desc: 'no' } } : undefined
        socket.write(`${JSON.stringify(error ?? { return: execute === 'guest-sync' ? args.id : 1 })}\n`)
      }
    })
  }).listen(join(dir, 'run/agent'))
  await once(server, 'listening')
  const image = imageOf('i', Buffer.alloc(512), { properties })
  const disks = [{ id: 'root', source: { type: 'image', image }, size_gb: 1, boot_index: 0 }]
  const machine = { spec: { id: 'g', disks }, agent: properties.hw_qemu_guest_agent === 'yes' } as unknown as Machine
  return {
    heard,
    refuses,
    quiet: {
      host: { clock: systemClock(), log: silentLog() } as QemuHost,
      files: { dir, run: join(dir, 'run') } as GuestFiles,
      machine,
      running: true,
    },
    mark: join(dir, 'run/frozen'),
    [Symbol.dispose]() {
      server.close()
      rmSync(dir, { recursive: true })
    },
  }
}

const [ping, freeze, thaw] = ['guest-ping', 'guest-fsfreeze-freeze', 'guest-fsfreeze-thaw'] as const

test('the work is done between freezing and thawing', async () => {
  using one = await guest({ hw_qemu_guest_agent: 'yes' })
  await whileFrozen(one.quiet, async () => void one.heard.push('work'))
  assert.deepEqual(one.heard, [ping, freeze, 'work', thaw])
  assert.equal(existsSync(one.mark), false)
})

test('a guest is thawed when the work fails', async () => {
  using one = await guest({ hw_qemu_guest_agent: 'yes' })
  const failing = whileFrozen(one.quiet, () => Promise.reject(new Error('no room')))
  await assert.rejects(failing, /no room/)
  assert.deepEqual(one.heard, [ping, freeze, thaw])
})

test('one that will not freeze is copied as it is, unless its image says that it must', async () => {
  using easy = await guest({ hw_qemu_guest_agent: 'yes' }, [freeze])
  assert.equal(await whileFrozen(easy.quiet, async () => 'copied'), 'copied')
  assert.deepEqual(easy.heard, [ping, freeze, thaw], 'it may have frozen in part')
  using strict = await guest({ hw_qemu_guest_agent: 'yes', os_require_quiesce: 'yes' }, [freeze])
  await assert.rejects(
    whileFrozen(strict.quiet, async () => 'copied'),
    /refused: no/,
  )
  assert.deepEqual(strict.heard, [ping, freeze, thaw])
})

test('an image that must be quiesced needs an agent, and a guest that runs', async () => {
  using without = await guest({ os_require_quiesce: 'yes' })
  await assert.rejects(
    whileFrozen(without.quiet, async () => 'copied'),
    new GuestError('QEMU guest agent is not enabled'),
  )
  using paused = await guest({ hw_qemu_guest_agent: 'yes', os_require_quiesce: 'yes' })
  await assert.rejects(
    whileFrozen({ ...paused.quiet, running: false }, async () => 'copied'),
    /does not run/,
  )
  assert.deepEqual([without.heard, paused.heard], [[], []])
})

test('what another life left frozen is thawed, and nothing is asked of a guest that is not', async () => {
  using one = await guest({ hw_qemu_guest_agent: 'yes' })
  await thawed(one.quiet.host, one.quiet.files)
  assert.deepEqual(one.heard, [])
  writeFileSync(one.mark, '')
  await thawed(one.quiet.host, one.quiet.files)
  assert.deepEqual(one.heard, [thaw])
  assert.equal(existsSync(one.mark), false)
})

test('a guest that has thawed by itself, as a Windows does after ten seconds, is taken at its word', async () => {
  using agent = await answering({
    'guest-fsfreeze-thaw': () => refuse("couldn't hold writes"),
    'guest-fsfreeze-status': () => 'thawed',
  })
  const { files } = bootedIn(agent.dir)
  const mark = join(files.run, 'frozen')
  writeFileSync(mark, '')
  await thawed({ clock: systemClock(), log: silentLog() } as QemuHost, files)
  assert.equal(existsSync(mark), false)
})
