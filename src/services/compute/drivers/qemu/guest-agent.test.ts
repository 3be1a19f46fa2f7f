/** What the agent in a guest answers, honest and hostile. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { systemClock, virtualClock } from '#kernel/clock.ts'
import { GuestError } from '../driver.ts'
import type { Machine } from './command-line.ts'
import { agentSocket, askAgent, setPassword } from './guest-agent.ts'
import { resetNetwork } from './guest-network.ts'
import type { GuestFiles } from './host.ts'

interface Asked {
  execute: string
  arguments: Record<string, unknown>
}

/** An agent that answers each command by `answer`. */
async function agent(answer: (asked: Asked) => string) {
  const dir = mkdtempSync(join(tmpdir(), 'nephos-agent-'))
  mkdirSync(join(dir, 'run'))
  const path = join(dir, agentSocket)
  const heard: Asked[] = []
  const server = createServer(socket => {
    socket.on('error', () => socket.destroy())
    socket.on('data', data => {
      for (const line of String(data).split('\n').slice(0, -1)) {
        const asked = JSON.parse(line) as Asked
        heard.push(asked)
        socket.write(answer(asked))
      }
    })
  }).listen(path)
  await once(server, 'listening')
  return {
    dir,
    path,
    heard,
    [Symbol.dispose]() {
      server.close()
      rmSync(dir, { recursive: true })
    },
  }
}

const sync = ({ arguments: { id } }: Asked) => `${JSON.stringify({ return: id })}\n`
const ask = (path: string) => askAgent(systemClock(), path, 'guest-set-user-password', { username: 'root' })

test('a command is answered, after answers that were meant for others', async () => {
  using guest = await agent(asked =>
    asked.execute === 'guest-sync' ? `{"return":{}}\nnoise\n${sync(asked)}` : '{"return":{}}\n',
  )
  assert.deepEqual(await ask(guest.path), {})
  assert.deepEqual(
    guest.heard.map(asked => asked.execute),
    ['guest-sync', 'guest-set-user-password'],
  )
})

test('a refusal is told, without control characters', async () => {
  const refusal = `${JSON.stringify({ error: { desc: 'no such \u001b[2Juser' } })}\n`
  using guest = await agent(asked => (asked.execute === 'guest-sync' ? sync(asked) : refusal))
  await assert.rejects(ask(guest.path), new GuestError('The agent of the guest refused: no such ?[2Juser'))
})

test('an endless answer is cut off, and so is an agent that goes away', async () => {
  using endless = await agent(() => 'x'.repeat(100_000))
  await assert.rejects(ask(endless.path), /without end/)
  await assert.rejects(ask(join(tmpdir(), 'no-such-agent')), /cannot be reached/)
})

test('a password for a guest that still boots waits for its agent; one that has long been up is not waited for as long', async () => {
  const clock = virtualClock()
  using guest = await agent(() => '')
  const set = (uptime: number) => {
    const booted = { machine: { agent: true } as Machine, files: { dir: guest.dir } as GuestFiles, uptime }
    return setPassword(clock, booted, 'root', 'secret')
  }
  const old = assert.rejects(set(1000), new GuestError('The agent of the guest does not answer.'))
  const young = assert.rejects(set(5), new GuestError('The agent of the guest does not answer.'))
  const asked = clock.now()
  await clock.advance(10_000)
  await old
  assert.equal(clock.next(), asked + 40_000)
  await clock.advance(30_000)
  await young
})

test('an agent that is there has most of a minute for a password: a guest with little time hashes slowly', async () => {
  const clock = virtualClock()
  const { promise: begun, resolve } = Promise.withResolvers<void>()
  using guest = await agent(asked => {
    if (asked.execute === 'guest-sync') return sync(asked)
    resolve()
    return ''
  })
  const booted = { machine: { agent: true } as Machine, files: { dir: guest.dir } as GuestFiles, uptime: 1000 }
  const asked = clock.now()
  const set = assert.rejects(setPassword(clock, booted, 'root', 'secret'), /does not answer/)
  await begun
  assert.equal(clock.next(), asked + 45_000)
  await clock.advance(45_000)
  await set
})

test('the NICs of a guest get what they are to have by its own programs, and its refusals are told', async () => {
  const macs = [
    ['lo', '00:00:00:00:00:00'],
    ['ens3', 'FA:16:3E:00:00:01'],
    ['br0', 'fa:16:3e:00:00:01'],
    ['-rf /', 'fa:16:3e:00:00:02'],
  ]
  const interfaces = macs.map(([name, mac]) => ({ name, 'hardware-address': mac }))
  let fails = false
  using guest = await agent(asked => {
    const answers: Record<string, unknown> = {
      'guest-sync': asked.arguments.id,
      'guest-network-get-interfaces': interfaces,
      'guest-exec': { pid: 7 },
      'guest-exec-status': { exited: true, exitcode: fails ? 2 : 0 },
    }
    return `${JSON.stringify({ return: answers[asked.execute] })}\n`
  })
  const booted = { machine: { agent: true } as Machine, files: { dir: guest.dir } as GuestFiles, uptime: 1000 }
  const nic = (mac: string) => ({
    ...{ mac, mtu: 1400 },
    addresses: [
      { address: '10.0.0.5', prefix: 24 },
      { address: 'fd00::5', prefix: 64 },
    ],
    routes: [
      { to: '10.9.0.0/16', via: '10.0.0.2' },
      { to: 'default', via: '10.0.0.1' },
    ],
  })
  await resetNetwork(systemClock(), booted, [nic('fa:16:3e:00:00:01')])
  const run = guest.heard
    .filter(asked => asked.execute === 'guest-exec')
    .map(({ arguments: { path, arg } }) => [path, ...(arg as string[])].join(' '))
  assert.deepEqual(run, [
    'ip link set dev ens3 mtu 1400 up',
    'ip addr flush dev ens3 scope global',
    'ip -4 addr add 10.0.0.5/24 dev ens3',
    'ip -6 addr add fd00::5/64 dev ens3',
    'ip -4 route replace 10.9.0.0/16 via 10.0.0.2 dev ens3',
    'ip -4 route replace default via 10.0.0.1 dev ens3',
  ])
  await assert.rejects(resetNetwork(systemClock(), booted, [nic('fa:16:3e:00:00:02')]), /sees no NIC/)
  fails = true
  await assert.rejects(resetNetwork(systemClock(), booted, [nic('fa:16:3e:00:00:01')]), /ip link set .* failed/)
})
