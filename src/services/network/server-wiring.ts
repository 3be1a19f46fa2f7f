/** Waits until a host has wired a server's ports. */
import { CallTimeout, NoResponder } from '#kernel/bus/bus.ts'
import type { Ctx } from '#kernel/context.ts'
import { Fault, Unavailable } from '#kernel/errors.ts'
import { networkConfig } from './config.ts'
import type { NetworkContract } from './contract.ts'
import type { ConvergeReport } from './drivers/driver.ts'
import { hostSynced } from './host-agent.ts'
import { hostRows } from './hosts/store.ts'
import { networkRows } from './networks/store.ts'
import type { PortRow } from './ports/store.ts'
import { serverPortRows } from './server-view.ts'

type Nics = Awaited<ReturnType<NetworkContract['wire']>>

/** How often a host may say that it cannot wire a port before it is believed. */
const refusals = 5
const longestPauseMs = 5_000

export async function wire(ctx: Ctx, serverId: string, host: string, signal: AbortSignal): Promise<Nics> {
  const seconds = ctx.config.of(networkConfig).wire_timeout_seconds
  const deadline = ctx.clock.monotonic() + seconds * 1000
  let refused = 0
  let answered = 0
  for (let pauseMs = 100; ; pauseMs = Math.min(2 * pauseMs, longestPauseMs)) {
    signal.throwIfAborted()
    const ports = await serverPortRows(ctx, [serverId])
    const row = await hostRows.find(ctx.db, { host })
    const known = row !== undefined && row.applied_revision > 0
    const missing = ports.filter(port => !known || port.tap === null || port.binding_host_id !== host)
    if (missing.length === 0) return nics(ctx, ports, row?.plane)
    checkBound(missing, host)
    const left = deadline - ctx.clock.monotonic()
    if (left <= 0) throw notWired(missing, host, `it did not say so within ${seconds} seconds`)
    const report = await asked(ctx, host, signal)
    const problem = report?.problems.find(({ id }) => missing.some(port => ['', port.id, port.network_id].includes(id)))
    if (problem && ++refused >= refusals) throw notWired(missing, host, problem.message)
    // A call that was under way may have begun before the ports were bound: what the next one did is looked at before any pause.
    if (!report || problem || ++answered > 2) await ctx.clock.sleep(Math.min(pauseMs, left), signal)
  }
}

function checkBound(missing: PortRow[], host: string): void {
  const elsewhere = missing.find(port => port.binding_host_id !== host)
  if (elsewhere)
    throw new Fault(
      500,
      'Internal Server Error',
      `Binding failed for port ${elsewhere.id}: it is not bound to host ${host}.`,
    )
}

/** The host's report; undefined when the host did not answer. */
async function asked(ctx: Ctx, host: string, signal: AbortSignal): Promise<ConvergeReport | undefined> {
  const gaveUp = Promise.withResolvers<never>()
  const giveUp = () => gaveUp.reject(signal.reason)
  signal.addEventListener('abort', giveUp, { once: true })
  try {
    return await Promise.race([hostSynced(ctx, host), gaveUp.promise])
  } catch (error) {
    if (error instanceof NoResponder || error instanceof CallTimeout) return undefined
    throw error
  } finally {
    signal.removeEventListener('abort', giveUp)
  }
}

/** Another host might do better. */
const notWired = (ports: PortRow[], host: string, reason: string) =>
  new Unavailable(`Binding failed for port ${ports[0]!.id}: host ${host} has not wired it; ${reason}.`, {
    type: 'PortBindingFailed',
    extra: { retry_elsewhere: true },
  })

async function nics(ctx: Ctx, ports: PortRow[], plane: string | undefined): Promise<Nics> {
  const ids = [...new Set(ports.map(port => port.network_id))]
  const mtus = new Map((await networkRows.list(ctx.db, { id: ids })).map(network => [network.id, network.mtu]))
  return ports.map(port => ({
    port_id: port.id,
    mac: port.mac_address,
    mtu: mtus.get(port.network_id)!,
    // The taps of the plane that only remembers do not exist.
    ...(port.tap && plane !== 'fake' && { tap: port.tap }),
  }))
}
