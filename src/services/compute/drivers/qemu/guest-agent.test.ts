/** What the agent in a guest answers, honest and hostile. */
import assert from 'node:assert/strict'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { systemClock, virtualClock } from '#kernel/clock.ts'
import { GuestError } from '../driver.ts'
import type { Machine } from './command-line.ts'
import { askAgent, setPassword } from './guest-agent.ts'
import { resetNetwork } from './guest-network.ts'
import { runProgram, systemOf, writeFile } from './guest-programs.ts'
import type { GuestFiles } from './host.ts'
import { answering, bootedIn, refuse, sync, testAgent } from './test-agent.ts'

const ask = (path: string) => askAgent(systemClock(), path, 'guest-set-user-password', { username: 'root' })

test('a command is answered, after answers that were meant for others', async () => {
  using guest = await testAgent(asked =>
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
  using guest = await testAgent(asked => (asked.execute === 'guest-sync' ? sync(asked) : refusal))
  await assert.rejects(ask(guest.path), new GuestError('The agent of the guest refused: no such ?[2Juser'))
})

test('an endless answer is cut off, and so is an agent that goes away', async () => {
  using endless = await testAgent(() => 'x'.repeat(100_000))
  await assert.rejects(ask(endless.path), /without end/)
  await assert.rejects(ask(join(tmpdir(), 'no-such-agent')), /cannot be reached/)
})

test('answers without end that are none of ours are cut off, too', async () => {
  using guest = await testAgent(() => '{"return":{}}\n'.repeat(1_500_000))
  const asked = askAgent(virtualClock(), guest.path, 'guest-exec-status', {}, { maxBytes: 8 * 1024 ** 2 })
  await assert.rejects(asked, /without end/)
})

test('a password for a guest that still boots waits for its agent; one that has long been up is not waited for as long', async () => {
  const clock = virtualClock()
  using guest = await testAgent(() => '')
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
  using guest = await testAgent(asked => {
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
  const said = Buffer.from('a warning\nRTNETLINK answers: \u001bFile exists\n').toString('base64')
  using guest = await testAgent(asked => {
    const answers: Record<string, unknown> = {
      'guest-sync': asked.arguments.id,
      'guest-network-get-interfaces': interfaces,
      'guest-exec': { pid: 7 },
      'guest-exec-status': { exited: true, exitcode: fails ? 2 : 0, 'err-data': said },
    }
    return `${JSON.stringify({ return: answers[asked.execute] })}\n`
  })
  const booted = bootedIn(guest.dir)
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
    'ip -4 addr replace 10.0.0.5/24 dev ens3',
    'ip -6 addr replace fd00::5/64 dev ens3',
    'ip -4 route replace 10.9.0.0/16 via 10.0.0.2 dev ens3',
    'ip -4 route replace default via 10.0.0.1 dev ens3',
  ])
  await assert.rejects(resetNetwork(systemClock(), booted, [nic('fa:16:3e:00:00:02')]), /sees no NIC/)
  fails = true
  await assert.rejects(
    resetNetwork(systemClock(), booted, [nic('fa:16:3e:00:00:01')]),
    /ip link set .* failed: RTNETLINK answers: [?]File exists$/,
  )
})

test('a program in a guest is waited for, and what it has printed is bounded', async () => {
  let looks = 0
  const printed = Buffer.from(`${'é'.repeat(9000)}the end`).toString('base64')
  using guest = await answering({
    'guest-exec': () => ({ pid: 7 }),
    'guest-exec-status': () =>
      ++looks < 3 ? { exited: false } : { exited: true, exitcode: 3, 'err-data': printed, 'out-data': 7 },
  })
  const program = { path: 'apt-get', args: ['install', 'a b; c'], env: ['LC_ALL=C'], wait_ms: 60_000 }
  const { code, output, errors } = await runProgram(systemClock(), bootedIn(guest.dir), program)
  assert.deepEqual([code, output, errors.length, errors.endsWith('éthe end')], [3, '', 4000, true])
  const asked = guest.heard.find(({ execute }) => execute === 'guest-exec')!.arguments
  assert.deepEqual(asked, {
    ...{ path: 'apt-get', arg: ['install', 'a b; c'], env: ['LC_ALL=C'], 'capture-output': true },
  })
})

test('a program that does not end, or does not begin, is no failure of the agent', async () => {
  using busy = await answering({ 'guest-exec': () => ({ pid: 7 }), 'guest-exec-status': () => ({ exited: false }) })
  const program = { path: 'sleep', args: ['9'], wait_ms: 300 }
  const { code, errors } = await runProgram(systemClock(), bootedIn(busy.dir), program)
  assert.deepEqual([code, errors], [null, 'It does not end within 0 seconds.'])
  using none = await answering({ 'guest-exec': () => refuse('Failed to execute child process') })
  const refused = await runProgram(systemClock(), bootedIn(none.dir), program)
  assert.deepEqual([refused.code, refused.errors.includes('Failed to execute')], [null, true])
  using mad = await answering({ 'guest-exec': () => ({ pid: 'x' }) })
  await assert.rejects(runProgram(systemClock(), bootedIn(mad.dir), program), /does not say what it has started/)
})

test('a file is written in parts, whatever an agent takes of each; one that lies about it is given up', async () => {
  let written = ''
  let open = 0
  using guest = await answering({
    'guest-file-open': () => ++open,
    'guest-file-write': ({ 'buf-b64': part }) => {
      const taken = Buffer.from(String(part), 'base64').subarray(0, 20_000)
      written += taken.toString('latin1')
      return { count: taken.length }
    },
    'guest-file-close': () => {
      open--
      return {}
    },
  })
  const text = 'ab\n'.repeat(20_000)
  await writeFile(systemClock(), bootedIn(guest.dir), '/run/x', text)
  assert.deepEqual([written === text, open], [true, 0])
  using liar = await answering({
    'guest-file-open': () => 1,
    'guest-file-write': () => ({ count: 0 }),
    'guest-file-close': () => ({}),
  })
  await assert.rejects(writeFile(systemClock(), bootedIn(liar.dir), '/run/x', text), /how much it has written/)
  assert.equal(liar.heard.at(-1)!.execute, 'guest-file-close')
})

test('the system of a guest is its word, as far as it is a word', async () => {
  for (const [id, system] of [
    ['Debian', 'debian'],
    ['opensuse-leap', 'opensuse-leap'],
    ['a b', 'unknown'],
    [7, 'unknown'],
  ] as const) {
    using guest = await answering({ 'guest-get-osinfo': () => ({ id }) })
    assert.equal(await systemOf(systemClock(), bootedIn(guest.dir)), system)
  }
  using old = await answering({})
  assert.equal(await systemOf(systemClock(), bootedIn(old.dir)), 'unknown')
})
