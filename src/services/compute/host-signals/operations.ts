/** Daemons tell what they know of hosts, for the scheduler: racks, temperatures, failing power. Not upstream's. */
import { NotFound } from '#kernel/errors.ts'
import { type Operation, operation } from '#kernel/operation.ts'
import { admin, adminOrService, rule } from '#kernel/policy/rule.ts'
import { Type } from '#kernel/schema/builders.ts'
import { hosts } from '../hosts/store.ts'
import { saidSignals, signalName, signalValue } from './host-signal.ts'
import { type HostSignalRow, hostSignals, isFresh, putSignals } from './store.ts'

const signal = Type.Object({ value: signalValue, reported_at: Type.String(), counts: Type.Boolean() })
const signalsOfHost = Type.Object({
  host: Type.String(),
  signals: Type.Record(Type.String({ pattern: signalName }), signal),
})

const list = operation({
  id: 'compute.host_signals.list',
  method: 'GET',
  path: '/v2.1/os-host-signals',
  summary: 'List what daemons say of hosts',
  policy: rule('os_compute_api:os-host-signals:list', admin),
  response: Type.Object({ host_signals: Type.Array(signalsOfHost) }),
  async handle(ctx) {
    const all = Map.groupBy(await hostSignals.list(ctx.db), row => row.host)
    const shown = (row: HostSignalRow) => ({
      value: row.value,
      reported_at: row.reported_at,
      counts: isFresh(ctx, row),
    })
    return {
      host_signals: [...all]
        .map(([host, rows]) => ({ host, signals: Object.fromEntries(rows.map(row => [row.name, shown(row)])) }))
        .sort((a, b) => (a.host < b.host ? -1 : 1)),
    }
  },
})

/** Signals that are not named stay, and null takes one back. They count for a while only, so daemons tell them regularly. */
const put = operation({
  id: 'compute.host_signals.put',
  method: 'PUT',
  path: '/v2.1/os-host-signals/{host}',
  summary: 'Tell something of a host',
  policy: rule('os_compute_api:os-host-signals:put', adminOrService),
  request: Type.Object({ signals: saidSignals }, { additionalProperties: false }),
  status: 204,
  async handle(ctx, { params: { host }, body: { signals } }) {
    if (!(await hosts.find(ctx.db, { name: host }))) throw new NotFound(`Compute host ${host} could not be found.`)
    await ctx.transaction(tx => putSignals(tx, hostSignals, { host }, signals))
  },
})

export const hostSignalOperations: Operation[] = [list, put]
