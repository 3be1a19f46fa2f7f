/** What the hosts' network agents call: their desired state, their reports, and guests' metadata requests. */
import { serveMethods } from '#kernel/bus/methods.ts'
import { type Env, systemCtx } from '#kernel/context.ts'
import { turnstile } from '#kernel/turnstile.ts'
import { type NetworkControlMethods, networkControlSubject, networkControlVersion } from './agent/methods.ts'
import { neighbourChangesSince, neighboursPage } from './hosts/neighbours.ts'
import { keepReport } from './hosts/report.ts'
import { hostState, ownState } from './hosts/state.ts'
import { answerMetadata } from './metadata.ts'

/** When thousands of hosts begin at once, their calls take longer than they wait: what nobody waits for is not begun. */
const callsAtOnce = 8

/** Serves the agents' calls until disposed of. */
export function serveNetworkControl(env: Env): AsyncDisposable {
  const [reports, states] = [turnstile(callsAtOnce), turnstile(callsAtOnce)]
  return serveMethods<NetworkControlMethods>(env.bus, networkControlSubject, networkControlVersion, {
    hostState: ({ host, known }, { signal }) => states(() => hostState(systemCtx(env), host, known), signal),
    ownState: ({ host, known }, { signal }) => states(() => ownState(systemCtx(env), host, known), signal),
    neighbours: asked => neighboursPage(systemCtx(env), asked),
    neighbourChanges: asked => neighbourChangesSince(systemCtx(env), asked),
    report: (report, { signal }) =>
      reports(async () => ({ revision: await keepReport(systemCtx(env), report) }), signal),
    metadata: request => answerMetadata(systemCtx(env), request),
  })
}
