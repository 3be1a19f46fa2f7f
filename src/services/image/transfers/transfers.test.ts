/** Downloads are kept to an allowance that bytes use up (S-304). */
import assert from 'node:assert/strict'
import { virtualClock } from '#kernel/clock.ts'
import { onEachEngine } from '../../../../test/engines.ts'
import { type TestProject, testCloud } from '../../../../test/harness.ts'
import { upload } from '../fixtures/image-cloud.ts'

onEachEngine('a big download uses up more of the allowance than a small one, and nobody else’s', async database => {
  const clock = virtualClock()
  await using cloud = await testCloud({ database, clock, set: ['image.download_bytes_per_minute=6000'] })
  const [eager, other] = [await cloud.project('eager'), await cloud.project('other')]
  const make = async (bytes: number) => {
    const body = { name: 'i', disk_format: 'raw', container_format: 'bare', visibility: 'shared' }
    const made = await cloud.request<{ id: string }>('POST', '/image/v2/images', { token: eager.token, body })
    const { id } = made.body
    await cloud.request('PUT', `/image/v2/images/${id}/file`, { token: eager.token, ...upload(Buffer.alloc(bytes)) })
    return { id }
  }
  const [small, big] = [await make(60), await make(12_000)]
  const get = (who: TestProject, { id }: { id: string }, headers: Record<string, string> = {}) =>
    cloud.request('GET', `/image/v2/images/${id}/file`, { token: who.token, headers })
  for (let i = 0; i < 20; i++) assert.equal((await get(eager, small)).status, 200)
  assert.equal((await get(eager, big)).status, 200)
  const refused = await get(eager, small)
  assert.equal(refused.status, 429)
  // 20 small ones took 12 seconds and the big one 120: a minute in advance is free.
  assert.equal(refused.headers['retry-after'], '73')
  assert.equal((await get(eager, small, { range: 'bytes=0-0' })).status, 429)
  assert.equal((await get(other, small)).status, 404, 'answered, not slowed')
  await clock.advance(72_000)
  assert.equal((await get(eager, small)).status, 429)
  await clock.advance(1001)
  assert.equal((await get(eager, small)).status, 200)
})
