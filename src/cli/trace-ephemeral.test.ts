/** A cloud that keeps nothing on its disk is asked what came of a request. */
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { mkdtempDisposableSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { main, runningCloud } from './fixtures/running-cloud.ts'

test('nephos trace tells of a cloud that is --ephemeral, as long as it runs', async () => {
  using folder = mkdtempDisposableSync(join(tmpdir(), 'nephos-trace-'))
  const data = folder.path
  const trace = (id: string) =>
    new Promise<{ code: number; out: string; said: string }>(done =>
      execFile(process.execPath, [main, 'trace', id, '--data', data], (error, out, said) =>
        done({ code: error ? Number(error.code) : 0, out, said }),
      ),
    )
  {
    await using cloud = await runningCloud(data)
    const made = await fetch(`${cloud.url}/compute/v2.1/os-aggregates`, {
      method: 'POST',
      headers: await cloud.login('nephos-admin'),
      body: JSON.stringify({ aggregate: { name: 'racks' } }),
    })
    const told = await trace(made.headers.get('x-openstack-request-id')!)
    assert.equal(told.code, 0, told.said)
    assert.match(told.out, /event aggregate\.create/)
    assert.match((await trace('req-none')).said, /^Nothing is known of request req-none/)
  }
  const { code, said } = await trace('req-none')
  assert.deepEqual([code, /no database is kept in .*--ephemeral keeps none/.test(said)], [1, true])
})
