/** Configuration of how hosts are chosen: `compute.scheduler`. */
import { Type } from '#kernel/schema/builders.ts'

export const schedulerSection = Type.Object({
  filters: Type.Array(Type.String(), {
    default: [
      'ComputeFilter',
      'AvailabilityZoneFilter',
      'AggregateInstanceExtraSpecsFilter',
      'ComputeCapabilitiesFilter',
      'ImagePropertiesFilter',
      'ServerGroupAntiAffinityFilter',
      'ServerGroupAffinityFilter',
      'SameHostFilter',
      'DifferentHostFilter',
      'HostSignalsFilter',
      'PlaceFilter',
      'NUMATopologyFilter',
      'PciPassthroughFilter',
      'DedicatedHostFilter',
    ],
    description: 'Rules that a host must pass to take a server, in this order.',
  }),
  ram_weight: Type.Number({
    default: 1,
    description: 'Above 0 spreads servers by free RAM, below 0 packs them.',
  }),
  cpu_weight: Type.Number({ default: 1, description: 'The same by free vCPUs.' }),
  disk_weight: Type.Number({ default: 1, description: 'The same by free disk.' }),
  io_ops_weight: Type.Number({
    default: 0,
    description: 'Below 0 keeps servers off hosts where others are being built, copied or moved.',
  }),
  num_instances_weight: Type.Number({
    default: 0,
    description: 'Below 0 spreads servers by how many are there, above 0 packs them.',
  }),
  collocation_weight: Type.Number({
    default: 0,
    description:
      "Above 0 keeps a project's servers on hosts where it has some already, and off those of others; more than the weights that spread, or these win.",
  }),
  modules: Type.Array(Type.String(), {
    default: [],
    description: 'Modules of JavaScript or TypeScript that export filters, weighers or hints of your own.',
  }),
  own_weights: Type.Record(Type.String(), Type.Number(), {
    default: {},
    description: 'How much each of the weighers of modules counts, by its name; 1 for those that are not named.',
  }),
  driver: Type.String({
    default: '',
    description:
      'A module that exports `choose`: it chooses among the hosts that pass the filters, instead of all weights.',
  }),
  remote: Type.Boolean({
    default: false,
    description: 'Hosts are chosen by `nephos scheduler`, a process of its own on the NATS server of cloud.nats_url.',
  }),
  max_instances_per_host: Type.Integer({ default: 50, minimum: 1, description: 'For NumInstancesFilter.' }),
  max_io_ops_per_host: Type.Integer({ default: 8, minimum: 1, description: 'For IoOpsFilter.' }),
  isolated_hosts: Type.Array(Type.String(), {
    default: [],
    description: 'Hosts for isolated_images, by IsolatedHostsFilter.',
  }),
  isolated_images: Type.Array(Type.String(), {
    default: [],
    description: 'Ids of images that run on isolated_hosts only, by IsolatedHostsFilter.',
  }),
  restrict_isolated_hosts_to_isolated_images: Type.Boolean({
    default: true,
    description: 'Whether isolated_hosts take nothing else.',
  }),
  wanted_signals: Type.Array(Type.String({ pattern: '^[a-z][a-z0-9_]{0,63} .+$' }), {
    default: [],
    description:
      'What daemons may say of a host that gets servers, such as "temperature <= 60" or "raid s!= degraded". A host of which nothing is said gets them too.',
  }),
  signal_seconds: Type.Integer({ default: 300, minimum: 1, description: 'How long a signal counts.' }),
  network_levels: Type.Array(Type.String({ pattern: '^[a-z][a-z0-9_]{0,63}$' }), {
    default: ['rack', 'row'],
    maxItems: 8,
    description:
      'Levels of places that the network is built of, from the host outwards: hosts that share the first are two hops apart, each further one adds two.',
  }),
  max_candidates: Type.Integer({
    default: 1000,
    minimum: 1,
    description: 'Most hosts that are looked at for one server.',
  }),
})
