/** Packages that many starts never need, or not the whole of, loaded when first asked for: most of the time of a start is the loading of modules. */
import { createRequire } from 'node:module'

const require = createRequire(import.meta.url)

export const onDemand = {
  ajv: () => require('ajv') as typeof import('ajv'),
  pg: () => require('pg') as typeof import('pg'),
  /** Without the package's index, which brings OpenTelemetry along. */
  prometheus: () =>
    ({
      Counter: require('prom-client/lib/counter'),
      Gauge: require('prom-client/lib/gauge'),
      Histogram: require('prom-client/lib/histogram'),
      Registry: require('prom-client/lib/registry'),
    }) as Pick<typeof import('prom-client'), 'Counter' | 'Gauge' | 'Histogram' | 'Registry'>,
  prometheusAggregator: () =>
    require('prom-client/lib/cluster') as Pick<typeof import('prom-client').AggregatorRegistry, 'aggregate'>,
  yaml: () => require('yaml') as typeof import('yaml'),
}
