/** Another project's things: neither read, listed, counted nor changed, and not told from things that are not there; attack case 17. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { serverCloud } from '../../src/services/compute/servers/fixtures/server-cloud.ts'
import { addressed, belongings, everything, kinds, secret } from './belongings.ts'
import { sample } from './sample.ts'
import { bodySchema, contentType, extended, headersAt, nobody, surface, takesBody, urlOf } from './surface.ts'

/** Asked with another proof than the token, or the same for every project. */
const open = new Set(['identity.users.change_password', 'compute.quota_sets.defaults'])

/** A change that almost anything of the network's takes. */
const renaming = (kind: string) => [
  { [kind.replace(/s$/, '').replaceAll('-', '_')]: { name: 'taken', description: 'taken' } },
]

for (const role of ['member', 'manager', 'reader']) {
  test(`a ${role} of another project can do nothing with a thing that could not be done with one that is not there`, async () => {
    await using cloud = await serverCloud({ set: extended })
    const owner = await cloud.project('owner')
    const stranger = await cloud.project('stranger', role)
    const ids = await belongings(cloud, owner)
    const before = await everything(cloud, owner, ids)
    let looked = 0
    const told: unknown[] = []
    for (const one of surface) {
      const { operation } = one
      const [first] = kinds(operation.path)
      if (!first || !ids[first] || operation.raw || open.has(operation.id)) continue
      const absent = Object.fromEntries(
        Object.keys(ids).map(kind => [kind, /-/.test(ids[kind]!) ? nobody : nobody.replaceAll('-', '')]),
      )
      const bodies = takesBody(one) ? [sample(bodySchema(one)!), {}, ...renaming(first)] : [undefined]
      for (const body of bodies) {
        const [theirs, nothing] = await Promise.all(
          [ids, absent].map(async whose => {
            const answer = await cloud.request(operation.method, addressed(one, whose, secret), {
              token: stranger.token,
              headers: { ...headersAt(one), ...(body !== undefined && contentType(one)) },
              ...(body !== undefined && { body: JSON.stringify(body) }),
            })
            let text = JSON.stringify(answer.body)
            for (const id of Object.values(whose)) text = text.replaceAll(id, 'ID')
            text = text.replace(/req-[0-9a-f-]{36}/g, 'REQUEST')
            return { status: answer.status, text }
          }),
        )
        if (!(theirs!.status >= 400 && theirs!.status < 500)) told.push({ id: operation.id, theirs })
        if (theirs!.status !== nothing!.status || theirs!.text !== nothing!.text)
          told.push({ id: operation.id, theirs, nothing })
        looked++
      }
    }
    assert.deepEqual(told, [])
    assert.ok(looked > 80, `${looked} operations`)
    assert.equal(await everything(cloud, owner, ids), before)
  })
}

test('no list shows a thing of another project, whatever the scope of the token', async () => {
  await using cloud = await serverCloud({ set: extended })
  const owner = await cloud.project('owner')
  const stranger = await cloud.project('stranger')
  const ids = await belongings(cloud, owner)
  const tokens = { project: stranger.token, none: await cloud.login('stranger', 'unscoped') }
  const ways = [
    '',
    '?all_tenants=1',
    '?all_projects=true',
    `?project_id=${owner.id}`,
    `?tenant_id=${owner.id}`,
    `?owner=${owner.id}`,
    `?name=${secret}`,
  ]
  for (const one of surface) {
    const { method, path, raw, id } = one.operation
    if (method !== 'GET' || raw || path.includes('{')) continue
    for (const [scope, token] of Object.entries(tokens)) {
      for (const way of [...ways, `?user_id=${owner.user_id}`, '?member_status=all&visibility=all']) {
        const { body, status } = await cloud.request('GET', urlOf(one) + way, { token, headers: headersAt(one) })
        if (status >= 400) continue
        const text = JSON.stringify(body).replaceAll(encodeURIComponent(way), '').replaceAll(way, '')
        for (const [kind, its] of Object.entries(ids)) {
          assert.ok(!text.includes(its), `${id}${way} with scope ${scope} shows ${kind}: ${text.slice(0, 400)}`)
        }
      }
    }
  }
})
