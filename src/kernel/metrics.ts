/** Numbers for Prometheus: one registry a cloud, so that two clouds in one process do not mix. */
import { monitorEventLoopDelay } from 'node:perf_hooks'
import type { Registry } from 'prom-client'
import type { Database } from './db/database.ts'
import { onDemand } from './on-demand.ts'

export interface HttpRequestLabels {
  service: string
  /** The operation's id; `none` where no route matched, never the path: callers choose paths. */
  operation: string
  status: number
}

export interface SagaStepLabels {
  saga: string
  step: string
  outcome: 'done' | 'failed' | 'undone' | 'undo_failed'
}

/** Durations are in seconds. */
export interface Metrics extends Disposable {
  httpRequest(labels: HttpRequestLabels, seconds: number): void
  sagaStep(labels: SagaStepLabels, seconds: number): void
  /** The page that Prometheus reads, and its content type. */
  page(): Promise<MetricsPage>
  /** The same as data, for a page of several processes. */
  json(): Promise<MetricsJson>
}

export interface MetricsPage {
  contentType: string
  body: string
}

/** The numbers of one process, as its library tells them to another. */
export type MetricsJson = object[]

const requestBuckets = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10]
const stepBuckets = [0.01, 0.05, 0.1, 0.5, 1, 5, 10, 30, 60, 300, 1800]

/** One page of several processes' numbers. Their labels differ, so each series grows until its own process ends. */
export async function pageOfAll(processes: MetricsJson[]): Promise<MetricsPage> {
  const registry = onDemand.prometheusAggregator().aggregate(processes)
  return { contentType: registry.contentType, body: await registry.metrics() }
}

/** Disposing stops the measuring of the event loop. With a name for the process, every number has it as its label `process`. */
export function createMetrics(database: Pick<Database, 'statements'>, processName?: string): Metrics {
  const { Counter, Histogram, Registry } = onDemand.prometheus()
  const registry = new Registry()
  if (processName !== undefined) registry.setDefaultLabels({ process: processName })
  const registers = [registry]
  const requests = new Counter({
    name: 'nephos_http_requests_total',
    help: 'API requests answered.',
    labelNames: ['service', 'operation', 'status'] as const,
    registers,
  })
  // Without the status, which would multiply the series by the buckets.
  const requestSeconds = new Histogram({
    name: 'nephos_http_request_seconds',
    help: 'Time to answer an API request.',
    labelNames: ['service', 'operation'] as const,
    buckets: requestBuckets,
    registers,
  })
  const stepSeconds = new Histogram({
    name: 'nephos_saga_step_seconds',
    help: 'Time of a saga step, by how it ended.',
    labelNames: ['saga', 'step', 'outcome'] as const,
    buckets: stepBuckets,
    registers,
  })
  let counted = 0
  new Counter({
    name: 'nephos_db_statements_total',
    help: 'Statements sent to the database.',
    registers,
    collect() {
      const sent = database.statements()
      this.inc(sent - counted)
      counted = sent
    },
  })
  const delay = monitorEventLoopDelay({ resolution: 20 })
  delay.enable()
  eventLoopGauge(delay, registers)

  return {
    httpRequest({ service, operation, status }, seconds) {
      requests.inc({ service, operation, status })
      requestSeconds.observe({ service, operation }, seconds)
    },
    sagaStep: (labels, seconds) => stepSeconds.observe({ ...labels }, seconds),
    page: async () => ({ contentType: registry.contentType, body: await registry.metrics() }),
    json: () => registry.getMetricsAsJSON(),
    [Symbol.dispose]() {
      delay.disable()
      registry.clear()
    },
  }
}

/** Delays since the last reading, in seconds beyond the sampling interval. What holds the loop within 20 ms of a reading is not seen. */
function eventLoopGauge(delay: ReturnType<typeof monitorEventLoopDelay>, registers: Registry[]): void {
  const seconds = (nanoseconds: number) => Math.max(0, nanoseconds / 1e9 - 0.02)
  const { Gauge } = onDemand.prometheus()
  new Gauge({
    name: 'nephos_event_loop_delay_seconds',
    help: 'How late the event loop ran since the last reading.',
    labelNames: ['quantile'] as const,
    registers,
    collect() {
      const empty = delay.count === 0
      this.set({ quantile: '0.5' }, empty ? 0 : seconds(delay.percentile(50)))
      this.set({ quantile: '0.99' }, empty ? 0 : seconds(delay.percentile(99)))
      this.set({ quantile: '1' }, empty ? 0 : seconds(delay.max))
      delay.reset()
    },
  })
}
