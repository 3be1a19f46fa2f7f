/** kill -9 with real guests: those that run go on and can be reached; those being made or deleted end as they should; nothing is left on the host. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { call, login } from './http.ts'
import { leftovers } from './leftovers.ts'
import { createStage, missingForReal } from './stage.ts'

interface Server {
  id: string
  name: string
  status: string
  'OS-EXT-STS:task_state': string | null
  fault?: { message: string }
}

test('killed while real guests are made and deleted', { skip: missingForReal(), timeout: 900_000 }, async () => {
  await using stage = await createStage({ flags: ['--virt', 'qemu', '--network', 'linux'] })
  const create = ['server', 'create', '--image', 'tiny', '--flavor', 'm1.nano', '--network', 'private', '--wait']
  await stage.os(['security', 'group', 'rule', 'create', '--protocol', 'icmp', 'default'])
  const witness = await stage.json<{ id: string }>([...create, 'witness'])
  const floating = await stage.json<{ floating_ip_address: string }>(['floating', 'ip', 'create', 'public'])
  const address = floating.floating_ip_address
  await stage.os(['server', 'add', 'floating', 'ip', 'witness', address])
  const answers = async () => (await stage.run('ping', ['-c', '1', '-W', '1', address])).code === 0
  await stage.until('the witness answers', answers)
  const [guest] = stage.guests()

  let token = await login(stage, 'nephos')
  const get = async <T>(path: string) => (await call<T>(stage, 'GET', path, token))!.body
  const { images } = await get<{ images: { id: string }[] }>('/image/v2/images')
  const { flavors } = await get<{ flavors: { id: string; name: string }[] }>('/compute/v2.1/flavors')
  const { networks } = await get<{ networks: { id: string }[] }>('/network/v2.0/networks?name=private')
  const flavorRef = flavors.find(f => f.name === 'm1.nano')!.id
  const body = { imageRef: images[0]!.id, flavorRef, networks: [{ uuid: networks[0]!.id }] }
  const list = async () => (await get<{ servers: Server[] }>('/compute/v2.1/servers/detail')).servers
  const others = async () => (await list()).filter(s => s.id !== witness.id)

  for (let round = 0; round < 8; round++) {
    const [old] = await others()
    const acts = [
      call(stage, 'POST', '/compute/v2.1/servers', token, { server: { ...body, name: `s${round}` } }),
      old && call(stage, 'DELETE', `/compute/v2.1/servers/${old.id}`, token),
    ]
    await sleep(60 + ((round * 397) % 1500))
    await stage.kill()
    await Promise.all(acts)
    assert.ok(stage.guests().includes(guest!), `round ${round}: the witness runs on while the cloud is down`)
    assert.ok(await answers(), `round ${round}: and is reached`)
    await stage.up()
    token = await login(stage, 'nephos')
    const atRest = async () =>
      (await list()).every(s => ['ACTIVE', 'ERROR'].includes(s.status) && s['OS-EXT-STS:task_state'] === null)
    await stage.until(`round ${round}: every server at rest`, atRest, { timeout: 60_000, every: 200 })
    assert.ok(await answers(), `round ${round}: the witness is reached after the start`)
  }

  for (const s of await list()) {
    assert.ok(s.status === 'ACTIVE' || s.fault?.message, `${s.name} is ${s.status}, and does not say why`)
    await call(stage, 'DELETE', `/compute/v2.1/servers/${s.id}`, token)
  }
  await stage.until('all gone', async () => (await list()).length === 0, { every: 200 })
  await stage
    .until('nothing left on the host', async () => (await leftovers(stage)).length === 0, { timeout: 20_000 })
    .catch(async () => assert.deepEqual(await leftovers(stage), []))
})
