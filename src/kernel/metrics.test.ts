import assert from 'node:assert/strict'
import { test } from 'node:test'
import { systemClock } from './clock.ts'
import { createMetrics } from './metrics.ts'

async function lines(metrics: { page(): Promise<{ body: string }> }, name: string): Promise<string[]> {
  const { body } = await metrics.page()
  return body.split('\n').filter(line => line.startsWith(name))
}

test('requests are counted by service, operation and status, and timed by service and operation', async () => {
  using metrics = createMetrics()
  const labels = { service: 'compute', operation: 'compute.servers.show' }
  metrics.httpRequest({ ...labels, status: 200 }, 0.002)
  metrics.httpRequest({ ...labels, status: 200 }, 0.004)
  metrics.httpRequest({ ...labels, status: 404 }, 0.001)
  assert.deepEqual(await lines(metrics, 'nephos_http_requests_total'), [
    'nephos_http_requests_total{service="compute",operation="compute.servers.show",status="200"} 2',
    'nephos_http_requests_total{service="compute",operation="compute.servers.show",status="404"} 1',
  ])
  const [count] = await lines(metrics, 'nephos_http_request_seconds_count')
  assert.equal(count, 'nephos_http_request_seconds_count{service="compute",operation="compute.servers.show"} 3')
})

test('saga steps and database statements are timed', async () => {
  using metrics = createMetrics()
  metrics.sagaStep({ saga: 'compute.create', step: 'spawn', outcome: 'done' }, 3)
  metrics.dbStatement({ engine: 'sqlite', kind: 'select' }, 0.0002)
  assert.deepEqual(await lines(metrics, 'nephos_saga_step_seconds_sum'), [
    'nephos_saga_step_seconds_sum{saga="compute.create",step="spawn",outcome="done"} 3',
  ])
  assert.deepEqual(await lines(metrics, 'nephos_db_statement_seconds_count'), [
    'nephos_db_statement_seconds_count{engine="sqlite",kind="select"} 1',
  ])
})

test('two clouds do not share their numbers', async () => {
  using one = createMetrics()
  using other = createMetrics()
  one.httpRequest({ service: 'image', operation: 'image.list', status: 200 }, 0.01)
  assert.equal((await lines(one, 'nephos_http_requests_total')).length, 1)
  assert.equal((await lines(other, 'nephos_http_requests_total')).length, 0)
})

test('the delay of the event loop is shown, and a loop that was blocked is seen', async () => {
  using metrics = createMetrics()
  const clock = systemClock()
  const worst = async () =>
    Number((await lines(metrics, 'nephos_event_loop_delay_seconds{quantile="1"}'))[0]?.split(' ')[1])
  assert.ok((await worst()) >= 0)
  await clock.sleep(50)
  await worst()
  await clock.sleep(50)
  const until = clock.monotonic() + 200
  while (clock.monotonic() < until);
  await clock.sleep(50)
  assert.ok((await worst()) > 0.1)
})
