/** What a guest's session does about changes that nobody asked for. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { createServer, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { virtualClock } from '#kernel/clock.ts'
import { silentLog } from '#kernel/log.ts'
import { powerStates } from '../driver.ts'
import { processOf } from './process.ts'
import { openSession } from './session.ts'

/** A session with a QEMU that only has a monitor, `status` being what it says of its guest at first. */
async function stage(status = 'running') {
  const dir = mkdtempSync(join(tmpdir(), 'nephos-session-'))
  const monitor = join(dir, 'qmp')
  const commands: string[] = []
  const told: [number, string][] = []
  const sockets: Socket[] = []
  const server = createServer(socket => {
    sockets.push(socket)
    socket.write('{"QMP": {"version": {}, "capabilities": []}}\r\n')
    socket.on('data', data => {
      for (const line of data.toString().trim().split('\n')) {
        const { execute, id } = JSON.parse(line) as { execute: string; id: string }
        commands.push(execute)
        socket.write(`${JSON.stringify({ return: { running: status === 'running', status }, id })}\r\n`)
      }
    })
  }).listen(monitor)
  await once(server, 'listening')
  const clock = virtualClock()
  const process_ = (await processOf(process.pid))!
  const session = await openSession({
    ...{ process: process_, monitor, clock, log: silentLog() },
    onPower: (state, reason) => void told.push([state, reason]),
  })
  return {
    ...{ session, clock, commands, told },
    /** QEMU says what happened, and the session has heard it. */
    async says(...events: object[]) {
      for (const event of events) sockets[0]!.write(`${JSON.stringify(event)}\r\n`)
      await session.execute('query-status')
    },
    [Symbol.dispose]() {
      session.leave()
      for (const socket of sockets) socket.destroy()
      server.close()
      rmSync(dir, { recursive: true })
    },
  }
}

const noSpace = [
  { event: 'BLOCK_IO_ERROR', data: { action: 'stop', nospace: true } },
  { event: 'STOP', data: {} },
]
const conts = (commands: string[]) => commands.filter(command => command === 'cont').length

test('a guest that a full disk holds tries again until there is room', async () => {
  using s = await stage()
  await s.says(...noSpace)
  assert.deepEqual(s.told, [[powerStates.paused, 'the disk of the host is full']])
  await s.clock.advance(10_000)
  await s.says({ event: 'RESUME', data: {} }, ...noSpace)
  await s.clock.advance(10_000)
  await s.says({ event: 'RESUME', data: {} })
  await s.clock.advance(60_000)
  assert.equal(conts(s.commands), 2)
  assert.deepEqual([s.session.status, s.told.at(-1)], ['running', [powerStates.running, 'resumed']])
})

test('one that was held before we came tries again too; one that its owner paused does not', async () => {
  using before = await stage('io-error')
  await before.clock.advance(10_000)
  await before.says()
  assert.equal(conts(before.commands), 1)
  using paused = await stage()
  await paused.says(...noSpace)
  await paused.session.execute('stop')
  await paused.clock.advance(60_000)
  await paused.says()
  assert.equal(conts(paused.commands), 0)
})
