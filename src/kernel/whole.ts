/** The cloud as a whole, for who looks at it from outside: how all its parts are, and the numbers of all its processes. */
import { client, serveMethods } from './bus/methods.ts'
import { type Ctx, type Env, systemCtx } from './context.ts'
import { type Control, serveControl } from './control.ts'
import { messageOf } from './errors.ts'
import { answered, failing, fine, type Health, type HealthCheck, healthOf, type Part } from './health.ts'
import { type MetricsJson, type MetricsPage, pageOfAll } from './metrics.ts'
import type { Service } from './service.ts'

const checkWithinMs = 2_000
const processVersion = 1

/** What every API process answers. */
interface ProcessMethods {
  metrics(input: null): Promise<MetricsJson>
}

const subjectOf = (processName: string) => `kernel.process.${processName}`

export interface WholeCloud extends AsyncDisposable {
  health(): Promise<Health>
  metrics(): Promise<MetricsPage>
}

export interface Topology {
  processName?: string
  apiProcesses?: () => readonly string[]
}

/** `control`: the process that keeps sagas, when it is another one; otherwise this process answers for it. */
export function wholeCloud(
  env: Env,
  services: readonly Service[],
  control: Control | undefined,
  { processName, apiProcesses = () => [] }: Topology,
): WholeCloud {
  const { bus, log, metrics, sagas } = env

  async function metricsOf(name: string): Promise<MetricsJson[]> {
    const asked = client<ProcessMethods>(bus, subjectOf(name), { timeoutMs: checkWithinMs, version: processVersion })
    try {
      return [await asked.call('metrics', null)]
    } catch (error) {
      log.warn({ process: name, err: messageOf(error) }, 'a process did not tell its numbers')
      return []
    }
  }
  async function metricsOfAll(): Promise<MetricsJson[]> {
    const others = await Promise.all(apiProcesses().map(metricsOf))
    return [await metrics.json(), ...others.flat()]
  }
  const checkSagas = async () => (sagas.stopping ? failing('stopping') : fine)
  const checks: HealthCheck[] = [
    { part: 'database', check: checkDatabase },
    { part: 'bus', check: checkBus },
    { part: 'sagas', check: control ? control.health : checkSagas },
    ...services.flatMap(service => service.health ?? []),
  ]
  const served = control
    ? serveMethods<ProcessMethods>(bus, subjectOf(processName!), processVersion, { metrics: () => metrics.json() })
    : serveControl(env, { health: checkSagas, metrics: metricsOfAll })

  return {
    async health() {
      const ctx = systemCtx(env)
      const parts = checks.map(async ({ part, check }) => {
        const found = await answered(ctx, part, checkWithinMs, () => check(ctx))
        return [part, found] as const
      })
      return healthOf(Object.fromEntries(await Promise.all(parts)))
    },
    async metrics() {
      if (!control) return apiProcesses().length === 0 ? metrics.page() : pageOfAll(await metricsOfAll())
      try {
        return await pageOfAll(await control.metrics())
      } catch (error) {
        log.warn({ err: messageOf(error) }, 'the numbers of this process alone are shown')
        return metrics.page()
      }
    },
    [Symbol.asyncDispose]: () => served[Symbol.asyncDispose](),
  }
}

async function checkDatabase({ database }: Ctx): Promise<Part> {
  return (await database.healthy()) ? fine : failing('does not answer')
}

/** What was sent so far is known to the bus: it is there. */
async function checkBus({ bus }: Ctx): Promise<Part> {
  await bus.flush()
  return fine
}
