/** What the hosts' network agents call: their desired state, their reports, and guests' metadata requests. */
import { serveMethods } from '#kernel/bus/methods.ts'
import { type Env, systemCtx } from '#kernel/context.ts'
import { type NetworkControlMethods, networkControlSubject, networkControlVersion } from './agent/methods.ts'
import { neighbourChangesSince, neighboursPage } from './hosts/neighbours.ts'
import { keepReport } from './hosts/report.ts'
import { hostState, ownState } from './hosts/state.ts'
import { answerMetadata } from './metadata.ts'

/** Serves the agents' calls until disposed of. */
export function serveNetworkControl(env: Env): AsyncDisposable {
  return serveMethods<NetworkControlMethods>(env.bus, networkControlSubject, networkControlVersion, {
    hostState: ({ host, known }) => hostState(systemCtx(env), host, known),
    ownState: ({ host, known }) => ownState(systemCtx(env), host, known),
    neighbours: asked => neighboursPage(systemCtx(env), asked),
    neighbourChanges: asked => neighbourChangesSince(systemCtx(env), asked),
    report: async report => ({ revision: await keepReport(systemCtx(env), report) }),
    metadata: request => answerMetadata(systemCtx(env), request),
  })
}
