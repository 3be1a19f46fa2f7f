/** Stories of images that hold only what changed since another. */
import assert from 'node:assert/strict'
import { Readable } from 'node:stream'
import { onEachEngine } from '../../../../test/engines.ts'
import { emptyQcow2 } from '../../compute/drivers/fake-disk.ts'
import { type ImageCloud, imageCloud } from '../fixtures/image-cloud.ts'

const qcow2 = { disk_format: 'qcow2' }
const bytes = () => Readable.from([emptyQcow2(1024 ** 3)])

/** What hosts do with the copy of a disk: `base` holds what it had before. */
async function stored(s: ImageCloud, base?: string): Promise<string> {
  const { id } = await s.make(qcow2)
  await s.cloud.env.services.image.upload(s.cloud.ctx(), id, bytes(), base)
  return id
}

const path = (id: string) => `/v2/images/${id}`
const show = async (s: ImageCloud, id: string) => (await s.call(s.mine, 'GET', path(id))).body
const words = (body: unknown) => String(body).replace(/<[^>]+>|\s+/g, ' ')

onEachEngine('an image stays as long as another holds only the changes to it', async database => {
  await using s = await imageCloud(database)
  const first = await stored(s)
  const second = await stored(s, first)
  const third = await stored(s, second)
  assert.equal((await show(s, first)).os_glance_base_image_id, undefined)
  assert.equal((await show(s, third)).os_glance_base_image_id, second)
  const { body } = await s.call<{ images: { id: string }[] }>(
    s.mine,
    'GET',
    `/v2/images?os_glance_base_image_id=${first}`,
  )
  assert.deepEqual(
    body.images.map(image => image.id),
    [second],
  )
  for (const [id, child] of [
    [first, second],
    [second, third],
  ] as const) {
    const refused = await s.call(s.mine, 'DELETE', path(id))
    assert.equal(refused.status, 409)
    assert.match(words(refused.body), new RegExp(`in use: image ${child} holds only what changed`))
    assert.equal((await s.call(s.admin, 'DELETE', path(id))).status, 409, 'whoever asks')
  }
  for (const id of [third, second, first]) assert.equal((await s.call(s.mine, 'DELETE', path(id))).status, 204)
})

onEachEngine('what holds only changes is no disk to download, and says what to do', async database => {
  await using s = await imageCloud(database)
  const first = await stored(s)
  const second = await stored(s, first)
  assert.equal((await s.call(s.mine, 'GET', `${path(first)}/file`)).status, 200)
  for (const who of [s.mine, s.admin]) {
    const refused = await s.call(who, 'GET', `${path(second)}/file`)
    assert.equal(refused.status, 409)
    assert.match(words(refused.body), /only what changed since image .* Create a server from it/)
  }
})

onEachEngine('hosts get all that an image stands on, also what is deactivated or not shared', async database => {
  await using s = await imageCloud(database)
  const { image } = s.cloud.env.services
  const first = await stored(s)
  const second = await stored(s, first)
  await s.patch(s.mine, second, [{ op: 'replace', path: '/visibility', value: 'community' }])
  assert.equal((await s.call(s.mine, 'POST', `${path(first)}/actions/deactivate`)).status, 204)
  assert.equal((await s.call(s.other, 'GET', path(first))).status, 404)
  const bases = await image.basesOf(s.cloud.ctx(), await image.get(s.cloud.ctx(), second))
  assert.deepEqual(
    bases.map(base => base.id),
    [first],
  )
  assert.ok((await image.open(s.cloud.env, first)).destroy())
  const third = await stored(s, second)
  assert.equal((await s.call(s.mine, 'POST', `${path(second)}/actions/deactivate`)).status, 204)
  for (const id of [first, second]) assert.ok((await image.open(s.cloud.env, id)).destroy(), 'the third stands on both')
  for (const id of [third, second]) await s.call(s.mine, 'DELETE', path(id))
  await assert.rejects(image.open(s.cloud.env, first), /not active/)
})

onEachEngine('only what a host uploads stands on another image, and only on one that is active', async database => {
  await using s = await imageCloud(database)
  const { image } = s.cloud.env.services
  const first = await stored(s)
  const set = { os_glance_base_image_id: first }
  assert.equal((await s.call(s.mine, 'POST', '/v2/images', { body: { name: 'x', ...set } })).status, 403)
  const own = await s.make(qcow2)
  const change = [{ op: 'add', path: '/os_glance_base_image_id', value: first }]
  assert.equal((await s.patch(s.mine, own.id, change)).status, 403)
  await assert.rejects(image.upload(s.cloud.ctx(), own.id, bytes(), s.mine.id), /nothing can be the changes to it/)
  assert.equal((await show(s, own.id)).status, 'queued')

  // An upload that fails leaves a queued image, which stands on nothing.
  const broken = Readable.from([Buffer.from('not a disk')])
  await assert.rejects(image.upload(s.cloud.ctx(), own.id, broken, first), /not acceptable/)
  assert.equal((await s.call(s.mine, 'DELETE', path(first))).status, 204)
  await s.fill(own.id, emptyQcow2(1024 ** 3))
  assert.equal((await show(s, own.id)).os_glance_base_image_id, undefined)
})

onEachEngine('of a deletion and an upload onto the same image one is refused', async database => {
  await using s = await imageCloud(database)
  const { image } = s.cloud.env.services
  for (let round = 0; round < 5; round++) {
    const first = await stored(s)
    const { id } = await s.make(qcow2)
    const [uploaded, deleted] = await Promise.all([
      image.upload(s.cloud.ctx(), id, bytes(), first).then(
        () => 'stored',
        error => error.message,
      ),
      s.call(s.mine, 'DELETE', path(first)),
    ])
    if (deleted.status === 204) assert.match(uploaded, /nothing can be the changes to it/)
    else assert.deepEqual([deleted.status, uploaded], [409, 'stored'])
  }
})
