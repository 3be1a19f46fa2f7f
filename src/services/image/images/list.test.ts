/** Finding images: who sees what, filters, order, pages. */
import assert from 'node:assert/strict'
import type { Database } from '#kernel/db/database.ts'
import { onEachEngine } from '../../../../test/engines.ts'
import type { TestProject } from '../../../../test/harness.ts'
import { imageCloud, type ShownImage } from '../fixtures/image-cloud.ts'

interface Listed {
  images: ShownImage[]
  first: string
  next?: string
  schema: string
}

async function stage(database: Database) {
  const s = await imageCloud(database)
  const list = (who: TestProject | string, query = '') => s.call<Listed>(who, 'GET', `/v2/images${query}`)
  return {
    ...s,
    list,
    /** Names, in the order of the answer. */
    async names(who: TestProject | string, query = '') {
      const answer = await list(who, query)
      assert.equal(answer.status, 200, JSON.stringify(answer.body))
      return answer.body.images.map(image => image.name).join(' ')
    },
    async refused(query: string) {
      const answer = await list(s.mine, query)
      assert.equal(answer.status, 400, query)
      return String(answer.body)
    },
  }
}

const members = (image: ShownImage) => `/v2/images/${image.id}/members`

onEachEngine('each project sees its own, the public, and what it accepted of others', async database => {
  await using s = await stage(database)
  for (const visibility of ['private', 'shared', 'community']) await s.make({ name: visibility, visibility })
  await s.make({ name: 'public', visibility: 'public' }, s.admin)
  const offered = await s.make({ name: 'offered' })
  await s.call(s.mine, 'POST', members(offered), { body: { member: s.other.id } })
  const sorted = (query = '') => `?sort=name:asc${query}`

  assert.equal(await s.names(s.mine, sorted()), 'community offered private public shared')
  assert.equal(await s.names(s.other, sorted()), 'public')
  assert.equal(await s.names(s.other, sorted('&visibility=community')), 'community')
  assert.equal(await s.names(s.other, sorted('&visibility=all')), 'community public')
  assert.equal(await s.names(s.other, sorted('&member_status=pending&visibility=shared')), 'offered')
  assert.equal(await s.names(s.other, sorted('&member_status=all')), 'offered public')
  await s.call(s.other, 'PUT', `${members(offered)}/${s.other.id}`, { body: { status: 'accepted' } })
  assert.equal(await s.names(s.other, sorted()), 'offered public')
  assert.equal(await s.names(s.other, sorted('&visibility=private')), '')
  assert.equal(await s.names(s.admin, sorted()), 'offered private public shared')
  assert.equal(await s.names(s.admin, sorted(`&owner=${s.mine.id}`)), 'offered private shared')
})

onEachEngine('images are found by attribute, property, tag, size and time', async database => {
  await using s = await stage(database)
  const a = await s.make({ name: 'a', os_distro: 'debian', tags: ['x', 'y'], min_ram: 64, protected: true })
  await s.make({ name: 'b,c', os_distro: 'alpine', tags: ['x'], disk_format: 'qcow2' })
  await s.make({ name: 'hidden', os_hidden: true })
  await s.fill(a.id, '12345')
  const finds: [string, string][] = [
    ['?name=a', 'a'],
    ['?name=in:a,"b,c"', 'a b,c'],
    ['?name=in:a', 'a'],
    ['?status=in:active,saving', 'a'],
    ['?status=queued', 'b,c'],
    [`?id=${a.id}`, 'a'],
    ['?os_distro=debian', 'a'],
    ['?os_distro=debian&tag=x&tag=y', 'a'],
    ['?tag=x', 'a b,c'],
    ['?tag=z', ''],
    ['?disk_format=qcow2', 'b,c'],
    ['?protected=true', 'a'],
    ['?protected=false', 'b,c'],
    ['?os_hidden=true', 'hidden'],
    ['?min_ram=64', 'a'],
    ['?size_min=5', 'a'],
    ['?size_max=4', ''],
    ['?size_min=1&size_max=5', 'a'],
    ['?created_at=gt:2001-01-01T00:00:00Z', 'a b,c'],
    ['?created_at=lt:2001-01-01T00:00:00', ''],
    ['?colour=red', ''],
    ["?name=a'%20or%201=1--", ''],
  ]
  for (const [query, names] of finds)
    assert.equal(await s.names(s.mine, `${query}&sort_key=name&sort_dir=asc`), names, query)
  assert.match(await s.refused('?visibility=secret'), /Invalid visibility value: secret/)
  assert.match(await s.refused('?protected=maybe'), /protected/)
  assert.match(await s.refused('?member_status=maybe'), /maybe/)
  assert.match(await s.refused('?size_min=-1'), /size_min/)
  assert.match(await s.refused('?created_at=near:2001-01-01T00:00:00Z'), /near/)
  assert.match(await s.refused('?created_at=gt:yesterday'), /yesterday/)
  assert.match(await s.refused('?changes-since=2001-01-01T00:00:00Z'), /no longer available/)
})

onEachEngine('a long list comes in pages that leave nothing out and repeat nothing', async database => {
  await using s = await stage(database)
  for (const name of ['d', 'b', 'e', 'a', 'c']) await s.make({ name, disk_format: name < 'c' ? 'qcow2' : 'raw' })
  const seen: string[] = []
  let query: string | undefined = '?limit=2&sort=disk_format:asc,name:desc&os_hidden=false'
  while (query !== undefined) {
    const { body }: { body: Listed } = await s.list(s.mine, query)
    assert.equal(body.schema, '/v2/schemas/images')
    assert.equal(new URL(body.first, 'http://x').searchParams.get('marker'), null)
    seen.push(...body.images.map(image => image.name!))
    query = body.next?.replace('/v2/images', '')
  }
  assert.deepEqual(seen, ['b', 'a', 'e', 'd', 'c'])
  assert.equal(await s.names(s.mine, '?sort_key=name'), 'e d c b a')
  assert.equal(await s.names(s.mine, '?sort_key=disk_format&sort_key=name&sort_dir=asc&sort_dir=asc'), 'a b c d e')
  assert.equal(await s.names(s.mine, '?limit=0'), '')
  assert.match(await s.refused('?limit=x'), /limit param must be an integer/)
  assert.match(await s.refused('?limit=-1'), /limit param must be positive/)
  assert.match(await s.refused('?sort_key=blob'), /Unsupported sort key: blob/)
  assert.match(await s.refused('?sort=name:sideways'), /Invalid sort direction/)
  assert.match(await s.refused('?sort=name&sort_key=name'), /cannot be combined/)
  assert.match(await s.refused('?sort_key=name&sort_dir=asc&sort_dir=asc'), /does not match the number/)
  assert.match(await s.refused('?marker=unknown'), /marker/i)
  const { id } = await s.make({ visibility: 'private' })
  assert.equal((await s.list(s.other, `?marker=${id}`)).status, 400)
})
