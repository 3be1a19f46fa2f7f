/** Stories of hosts that fail and are fenced, by a real command, before their servers come back elsewhere. */
import assert from 'node:assert/strict'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import type { SagaProbe } from '#kernel/saga/run.ts'
import { failingHosts, soon } from '../fixtures/failing-hosts.ts'
import { serverCloud } from '../fixtures/server-cloud.ts'
import { highAvailability } from './high-availability.ts'

interface Shown {
  host: string
  state: string
  result: string | null
  output: string | null
}

/** A command that notes whom it is to switch off, and ends as it is told. */
async function powerSwitch(t: TestContext) {
  const dir = await mkdtemp(join(tmpdir(), 'nephos-fence-'))
  t.after(() => rm(dir, { recursive: true }))
  const [script, calls, code] = [join(dir, 'fence'), join(dir, 'calls'), join(dir, 'code')]
  await writeFile(script, `#!/bin/sh\necho "$2" >> ${calls}\necho "$1 $2"\nexit $(cat ${code})\n`, { mode: 0o755 })
  await writeFile(calls, '')
  const answer = (value: number) => writeFile(code, String(value))
  await answer(0)
  return {
    answer,
    set: [`compute.high_availability.fence_command=${JSON.stringify([script, '--off'])}`],
    calls: async () => (await readFile(calls, 'utf8')).split('\n').filter(Boolean),
  }
}

type Stage = Awaited<ReturnType<typeof failingHosts>>

/** Time passes, but for as long as a command runs. */
async function pass(s: Pick<Stage, 'pass' | 'env'>, seconds: number) {
  for (let passed = 0; passed < seconds; passed += 5) {
    await s.pass(5)
    await s.env.sagas.idle('fencing h1')
  }
}

const fencings = async (s: Pick<Stage, 'api'>, who: { token: string }) =>
  (await s.api<{ fencings: Shown[] }>(who, 'GET', '/os-fencings?host=h1')).body.fencings

test('a failed host is switched off first, once, and only then its marked servers come back', async t => {
  const power = await powerSwitch(t)
  await using s = await failingHosts(['h1', 'h2', 'h3'], { set: power.set })
  await s.removeHost('h1')
  await pass(s, 70)
  assert.deepEqual(await power.calls(), [], 'down for less than a minute')
  await pass(s, 30)
  await s.env.sagas.idle()
  assert.deepEqual(await power.calls(), ['h1'], 'once for all of its servers')
  const [told] = await fencings(s, s.administrator)
  assert.deepEqual([told?.host, told?.state, told?.result, told?.output], ['h1', 'off', 'exit code 0', '--off h1'])
  assert.equal((await s.api(s.demo, 'GET', '/os-fencings')).status, 403)
  assert.deepEqual((await s.at(s.marked.id))[0], 'ACTIVE')
  assert.notEqual((await s.at(s.marked.id))[1], 'h1')
  assert.notEqual((await s.at(s.off.id))[1], 'h1')
  assert.deepEqual(await s.at(s.plain.id), ['ACTIVE', 'h1'])
})

test('while the command cannot tell that the host is off its servers stay, and it is asked again', async t => {
  const power = await powerSwitch(t)
  await power.answer(2)
  await using s = await failingHosts(['h1', 'h2', 'h3'], { set: power.set })
  await s.removeHost('h1')
  await pass(s, 120)
  assert.deepEqual(await s.at(s.marked.id), ['ACTIVE', 'h1'])
  const [failed] = await fencings(s, s.administrator)
  assert.deepEqual([failed?.state, failed?.result], ['failed', 'exit code 2'])
  const before = await power.calls()
  assert.ok(before.length < 3, 'not at every look')
  await power.answer(0)
  await pass(s, 90)
  await s.env.sagas.idle()
  assert.deepEqual((await power.calls()).length, before.length + 1)
  assert.notEqual((await s.at(s.marked.id))[1], 'h1')
})

test('a host that was back and fails anew is fenced anew', async t => {
  const power = await powerSwitch(t)
  await using s = await failingHosts(['h1', 'h2', 'h3'], { set: [...power.set] })
  await s.removeHost('h1')
  await pass(s, 120)
  await s.env.sagas.idle()
  await s.addHost('h1')
  await pass(s, 60)
  await s.api(s.administrator, 'POST', `/servers/${s.plain.id}/metadata`, { metadata: { HA_Enabled: 'True' } })
  await s.removeHost('h1')
  await pass(s, 120)
  await s.env.sagas.idle()
  assert.deepEqual(await power.calls(), ['h1', 'h1'])
  assert.notEqual((await s.at(s.plain.id))[1], 'h1')
})

for (const place of ['before the command', 'after the command', 'after its result was kept']) {
  test(`killed ${place}, the next process brings the servers back all the same`, async t => {
    const power = await powerSwitch(t)
    const reached = Promise.withResolvers<void>()
    let isReached = false
    const kills: Record<string, [seq: number, at: string]> = {
      'before the command': [0, 'before'],
      'after the command': [0, 'acted'],
      'after its result was kept': [1, 'journaled'],
    }
    const sagaProbe: SagaProbe = ({ saga, seq, at }) => {
      const [where, when] = kills[place]!
      if (saga !== 'compute.hosts.fence' || seq !== where || at !== when) return
      isReached = true
      reached.resolve()
      return new Promise<never>(() => {})
    }
    const first = await failingHosts(['h1', 'h2', 'h3'], { set: power.set, sagaProbe })
    await first.removeHost('h1')
    while (!isReached) {
      await first.pass(5)
      if ((await fencings(first, first.administrator)).length > 0) await reached.promise
    }
    await first.kill()

    await using next = await serverCloud({ world: first.world, hosts: ['h2', 'h3'], set: [...soon, ...power.set] })
    await next.begin()
    await next.env.sagas.idle()
    const admin = await next.admin()
    for (let round = 0; round < 24; round++) {
      await first.clock.advance(5000)
      await next.reconcile(highAvailability.id)
      await next.env.sagas.idle('fencing h1')
    }
    await next.env.sagas.idle()
    const shown = await next.show(admin, first.marked.id)
    assert.equal(shown.status, 'ACTIVE')
    assert.notEqual(shown['OS-EXT-SRV-ATTR:host'], 'h1')
    assert.equal((await power.calls()).length, place === 'after the command' ? 2 : 1)
    assert.deepEqual(
      (await fencings(next, admin)).map(row => row.state),
      ['off'],
      'one record of one outage',
    )
  })
}
