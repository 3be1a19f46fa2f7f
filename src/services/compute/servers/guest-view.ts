/** What a server's host says of its guest: console output and diagnostics. */
import type { Ctx } from '#kernel/context.ts'
import { NotFound } from '#kernel/errors.ts'
import { type Operation, operation } from '#kernel/operation.ts'
import { admin, projectMemberOrAdmin, rule } from '#kernel/policy/rule.ts'
import { Type } from '#kernel/schema/builders.ts'
import { flag, isTrue, query } from '../dialect.ts'
import { loadServer } from './access.ts'
import { actionOperation, stateConflict } from './action.ts'
import { askHost } from './ask-host.ts'

const answerInMs = 20_000

const options = (ctx: Ctx) => ({ request: ctx, deadline: ctx.clock.now() + answerInMs })

/** Control characters that no JSON reader or terminal should get, but tab and ends of lines. */
const controls = /[\u0000-\u0008\u000b-\u001f]/g

const consoleOutput = actionOperation({
  id: 'compute.servers.console_output',
  key: 'os-getConsoleOutput',
  summary: 'Show what a server printed to its serial console',
  policy: rule('os_compute_api:os-console-output', projectMemberOrAdmin),
  body: Type.Object(
    {
      length: Type.Optional(
        Type.Unsafe<number | string | null>({
          type: ['integer', 'string', 'null'],
          minimum: -1,
          pattern: '^-?[0-9]+$',
        }),
      ),
    },
    { additionalProperties: false },
  ),
  response: Type.Object({ output: Type.String() }),
  async handle(ctx, server, { length }) {
    const lines = length === undefined || length === null || Number(length) < 0 ? undefined : Number(length)
    const asked = { id: server.id, ...(lines !== undefined && { lines }) }
    const output = await askHost(ctx, server, async agent => {
      if ((await agent.call('state', { id: server.id }, options(ctx))) === 0) {
        throw new NotFound('Unable to get console')
      }
      return agent.call('consoleLog', asked, options(ctx))
    })
    return { output: output.replace(controls, '') }
  },
})

const diagnostics = operation({
  id: 'compute.servers.diagnostics',
  method: 'GET',
  path: '/v2.1/servers/{server_id}/diagnostics',
  summary: 'Show counters of a server',
  policy: rule('os_compute_api:os-server-diagnostics', admin),
  load: loadServer,
  // Not upstream's: clients that check members would refuse one that they did not ask for.
  query: query({ filesystems: Type.Optional(flag) }, '2.102'),
  response: Type.Object({}),
  async handle(ctx, { target, query }) {
    if (target.vm_state !== 'active' && target.vm_state !== 'paused') {
      throw stateConflict(target.id, 'get_diagnostics', 'vm_state', target.vm_state)
    }
    const asked = { id: target.id, filesystems: isTrue(query.filesystems) }
    const { filesystems, ...found } = await askHost(ctx, target, agent =>
      agent.call('diagnostics', asked, options(ctx)),
    )
    // Agents from before that tell them unasked.
    const told = asked.filesystems ? { ...found, filesystems } : found
    return ctx.atLeast('2.48') ? standardDiagnostics(told) : legacyDiagnostics(told)
  },
})

type Counters = Record<string, unknown>
const listOf = (value: unknown): Counters[] => (Array.isArray(value) ? (value as Counters[]) : [])
const pick = (from: Counters, names: readonly string[]) =>
  Object.fromEntries(names.map(name => [name, from[name] ?? null]))

const diskCounters = ['read_bytes', 'read_requests', 'write_bytes', 'write_requests', 'errors_count']
const nicCounters = [
  ...['mac_address', 'rx_octets', 'rx_errors', 'rx_drop', 'rx_packets', 'rx_rate'],
  ...['tx_octets', 'tx_errors', 'tx_drop', 'tx_packets', 'tx_rate'],
]

const filesystemFigures = ['mountpoint', 'type', 'used_bytes', 'total_bytes']

function standardDiagnostics(found: Counters): Counters {
  return {
    // Of the drivers that clients know, the one whose guests are QEMU's.
    driver: 'libvirt',
    ...pick(found, ['state', 'hypervisor', 'hypervisor_os', 'uptime', 'config_drive']),
    ...pick(found, ['num_cpus', 'num_nics', 'num_disks']),
    disk_details: listOf(found.disk_details).map(disk => pick(disk, diskCounters)),
    cpu_details: listOf(found.cpu_details).map(cpu => pick(cpu, ['id', 'time', 'utilisation'])),
    nic_details: listOf(found.nic_details).map(nic => pick(nic, nicCounters)),
    memory_details: pick((found.memory_details ?? {}) as Counters, ['maximum', 'used']),
    ...(found.filesystems !== undefined && {
      filesystems: listOf(found.filesystems).map(filesystem => pick(filesystem, filesystemFigures)),
    }),
  }
}

/** Flat names, as they were before 2.48. */
function legacyDiagnostics(found: Counters): Counters {
  const memory = (found.memory_details ?? {}) as Counters
  const flat: Counters = { memory: Number(memory.maximum ?? 0) * 1024 }
  for (const [index, cpu] of listOf(found.cpu_details).entries()) flat[`cpu${index}_time`] = cpu.time ?? 0
  for (const [index, disk] of listOf(found.disk_details).entries()) {
    const name = `vd${String.fromCharCode(97 + index)}`
    flat[`${name}_read`] = disk.read_bytes ?? 0
    flat[`${name}_read_req`] = disk.read_requests ?? 0
    flat[`${name}_write`] = disk.write_bytes ?? 0
    flat[`${name}_write_req`] = disk.write_requests ?? 0
    flat[`${name}_errors`] = disk.errors_count ?? -1
  }
  for (const [index, nic] of listOf(found.nic_details).entries()) {
    flat[`vnet${index}_rx`] = nic.rx_octets ?? 0
    flat[`vnet${index}_rx_packets`] = nic.rx_packets ?? 0
    flat[`vnet${index}_tx`] = nic.tx_octets ?? 0
    flat[`vnet${index}_tx_packets`] = nic.tx_packets ?? 0
  }
  return flat
}

export const guestOperations: Operation[] = [consoleOutput, diagnostics]
