/** The scheduler hints that this cloud understands, for users: those of filters that are on. Not upstream's; its hints can only be guessed. */
import { type Operation, operation } from '#kernel/operation.ts'
import { anyone, rule } from '#kernel/policy/rule.ts'
import { Type } from '#kernel/schema/builders.ts'
import { computeConfig } from '../config.ts'
import { schedulerParts } from '../scheduler-modules.ts'

interface Hint {
  name: string
  /** On as soon as one of these is; none are needed for what weighers do. */
  filters: string[]
  description: string
}

const hints: Hint[] = [
  {
    name: 'group',
    filters: [],
    description: 'Id of a server group: its policy says whether members share a host.',
  },
  {
    name: 'same_host',
    filters: ['SameHostFilter'],
    description: 'Ids of servers: the new one goes to the host of one of them.',
  },
  {
    name: 'different_host',
    filters: ['DifferentHostFilter'],
    description: 'Ids of servers: the new one goes to a host that has none of them.',
  },
  {
    name: 'query',
    filters: ['JsonFilter'],
    description:
      'What a host must have, as JSON: ["and", [">=", "$free_ram_mb", 1024], [">=", "$free_disk_mb", 20480]].',
  },
  {
    name: 'build_near_host_ip',
    filters: ['SimpleCIDRAffinityFilter'],
    description: 'An address: the new server goes to a host in its range.',
  },
  {
    name: 'cidr',
    filters: ['SimpleCIDRAffinityFilter'],
    description: 'How large the range of build_near_host_ip is; /24 unless told.',
  },
  {
    name: 'all_or_nothing',
    filters: [],
    description: 'True: when not all servers of this request find a host, it is refused, and nothing is made.',
  },
  ...(
    [
      ['same_place', 'Levels of places, such as rack: the servers of this request share one'],
      ['prefer_same_place', 'The same, where there is room'],
      ['spread_over', 'Levels of places, such as pdu: each gets as many servers of this request as any other'],
      ['prefer_spread_over', 'The same, where there is room'],
      ['related_servers', 'Ids of servers that count in these, as members of the group do'],
    ] as const
  ).map(([name, description]) => ({ name, filters: ['PlaceFilter'], description: `${description}.` })),
]

const hint = Type.Object({ name: Type.String(), description: Type.String() })

const list = operation({
  id: 'compute.scheduler_hints.list',
  method: 'GET',
  path: '/v2.1/os-scheduler-hints',
  summary: 'List the scheduler hints that this cloud understands',
  policy: rule('os_compute_api:os-scheduler-hints:list', anyone),
  response: Type.Object({ scheduler_hints: Type.Array(hint) }),
  async handle(ctx) {
    const on = ctx.config.of(computeConfig).scheduler.filters
    const known = hints.filter(({ filters }) => filters.length === 0 || filters.some(name => on.includes(name)))
    const all = [...known, ...schedulerParts(ctx).extensions.hints]
    return { scheduler_hints: all.map(({ name, description }) => ({ name, description })) }
  },
})

export const schedulerHintOperations: Operation[] = [list]
