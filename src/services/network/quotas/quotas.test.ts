/** Quotas as administrators set them and members see them. */
import assert from 'node:assert/strict'
import { onEachEngine } from '../../../../test/engines.ts'
import { networkCloud, refusal } from '../fixtures/cloud.ts'

onEachEngine('quotas are shown, set, heeded and reset', async database => {
  await using cloud = await networkCloud({ database })
  const { demo, other, admin } = cloud
  const shown = await demo.request('GET', 'quotas/p-demo')
  assert.equal(shown.body.quota.network, 100)
  assert.deepEqual((await demo.request('GET', 'quotas/p-demo/default')).body, shown.body)
  assert.deepEqual((await demo.request('GET', 'quotas/project')).body, { project: { project_id: 'p-demo' } })
  assert.deepEqual((await demo.request('GET', 'quotas/tenant')).body, { tenant: { tenant_id: 'p-demo' } })
  for (const path of ['quotas/p-demo', 'quotas/p-demo/default', 'quotas/p-demo/details.json', 'quotas'])
    assert.equal(await refusal(other.request('GET', path)), '403 PolicyNotAuthorized', path)
  const put = (who: typeof demo, quota: object) => who.request('PUT', 'quotas/p-demo', { quota })
  assert.equal(await refusal(put(demo, { network: 1000 })), '403 PolicyNotAuthorized')

  const set = await put(admin, { network: '1', subnet: -1 })
  assert.deepEqual([set.status, set.body.quota.network, set.body.quota.subnet], [200, 1, -1])
  assert.deepEqual(
    (await admin.list('quotas')).map(one => [one.project_id, one.tenant_id, one.network, one.port]),
    [['p-demo', 'p-demo', 1, 500]],
  )
  const posted = await Promise.all([1, 2, 3].map(() => demo.request('POST', 'networks', { network: {} })))
  assert.deepEqual(posted.map(answer => answer.status).sort(), [201, 409, 409])
  const details = await demo.request('GET', 'quotas/p-demo/details.json')
  assert.deepEqual(details.body.quota.network, { limit: 1, used: 1, reserved: 0 })
  assert.equal((await put(admin, { network: 0, check_limit: true })).status, 400)
  assert.equal((await put(admin, { network: 0, force: true })).body.quota.network, 0)
  assert.equal((await admin.request('DELETE', 'quotas/p-demo')).status, 204)
  assert.equal(await refusal(admin.request('DELETE', 'quotas/p-demo')), '404 TenantQuotaNotFound')
  assert.equal((await demo.request('POST', 'networks', { network: {} })).status, 201)
})

onEachEngine('quotas that are none are refused', async database => {
  await using cloud = await networkCloud({ database })
  const put = async (quota: object) => {
    const { status, body } = await cloud.admin.request('PUT', 'quotas/p-demo', { quota })
    return `${status} ${body.NeutronError.message}`
  }
  assert.equal(await put({ netwrok: 1 }), "400 Unrecognized attribute(s) 'netwrok'")
  assert.match(await put({ network: 'many' }), /^400 Invalid input for network\. Reason: 'many' is not/)
  assert.match(await put({ network: -2 }), /^400 Invalid input for network\. Reason: -2/)
  assert.match(await put({ network: 2 ** 40 }), /^400 Invalid input for network\. Reason: 1099511627776/)
})
