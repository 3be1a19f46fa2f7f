import assert from 'node:assert/strict'
import { test } from 'node:test'
import { systemClock } from './clock.ts'
import { createMetrics } from './metrics.ts'

const idle = { statements: () => 0 }

async function lines(metrics: { page(): Promise<{ body: string }> }, name: string): Promise<string[]> {
  const { body } = await metrics.page()
  return body.split('\n').filter(line => line.startsWith(name))
}

test('requests are counted by service, operation and status, and timed by service and operation', async () => {
  using metrics = createMetrics(idle)
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

test('saga steps are timed', async () => {
  using metrics = createMetrics(idle)
  metrics.sagaStep({ saga: 'compute.create', step: 'spawn', outcome: 'done' }, 3)
  assert.deepEqual(await lines(metrics, 'nephos_saga_step_seconds_sum'), [
    'nephos_saga_step_seconds_sum{saga="compute.create",step="spawn",outcome="done"} 3',
  ])
})

test('statements are counted as the database counts them', async () => {
  let sent = 3
  using metrics = createMetrics({ statements: () => sent })
  assert.deepEqual(await lines(metrics, 'nephos_db_statements_total'), ['nephos_db_statements_total 3'])
  sent = 5
  assert.deepEqual(await lines(metrics, 'nephos_db_statements_total'), ['nephos_db_statements_total 5'])
})

test('two clouds do not share their numbers', async () => {
  using one = createMetrics(idle)
  using other = createMetrics(idle)
  one.httpRequest({ service: 'image', operation: 'image.list', status: 200 }, 0.01)
  assert.equal((await lines(one, 'nephos_http_requests_total')).length, 1)
  assert.equal((await lines(other, 'nephos_http_requests_total')).length, 0)
})

test('the delay of the event loop is shown, and a loop that was blocked is seen', async () => {
  using metrics = createMetrics(idle)
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
