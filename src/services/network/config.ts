/** Configuration of the network service. */
import { section } from '#kernel/config/section.ts'
import { Type } from '#kernel/schema/builders.ts'

const quota = (value: number, what: string) =>
  Type.Integer({ default: value, minimum: -1, description: `Most ${what} a project may have; -1 for any number.` })

export const networkConfig = section(
  'network',
  Type.Object(
    {
      dns_domain: Type.String({
        default: 'openstacklocal.',
        pattern: '^([a-z0-9]([a-z0-9-]*[a-z0-9])?\\.)+$',
        description: 'Domain of the names of ports on networks that name none; it ends in a dot.',
      }),
      physical_mtu: Type.Integer({
        default: 1500,
        minimum: 576,
        maximum: 65535,
        description: 'Largest packet, in bytes, that the network between the hosts carries.',
      }),
      first_segment: Type.Integer({ default: 1, minimum: 1, description: 'Least number of a tunnelled network.' }),
      last_segment: Type.Integer({
        default: 16_777_215,
        minimum: 1,
        maximum: 16_777_215,
        description: 'Greatest number of a tunnelled network.',
      }),
      availability_zone: Type.String({ default: 'nova', description: 'Zone in which networks and routers are.' }),
      agent_down_seconds: Type.Integer({
        default: 75,
        minimum: 5,
        description: 'Seconds without a report after which an agent counts as dead.',
      }),
      wire_timeout_seconds: Type.Integer({
        default: 300,
        minimum: 1,
        description: 'Seconds to wait until a host has wired the ports of a new server.',
      }),
      public_cidr: Type.String({
        default: '203.0.113.0/24',
        pattern: '^\\d{1,3}(\\.\\d{1,3}){3}/([1-9]|[12]\\d|30)$',
        description:
          'Range of the external network `public` on this machine. Its first address is the host’s own, the gateway. Give it before the first start.',
      }),
      public_nat: Type.Boolean({
        default: true,
        description: 'Whether the host translates addresses for what leaves `public` for the world outside.',
      }),
      private_cidr: Type.String({
        default: '192.168.233.0/24',
        description:
          'Range of the first private network. It rarely meets ranges of offices, homes and container tools, which are lower.',
      }),
      private_cidr_v6: Type.String({
        default: 'fd4e:6570:686f::/64',
        description: 'IPv6 range of the first private network; empty for none.',
      }),
      quota_driver: Type.Union([Type.Literal('database'), Type.Literal('unified_limits')], {
        default: 'database',
        description:
          'Where limits of projects are: in the quotas of this service, or in the unified limits of identity (network, subnet, port …). What is not registered there has the limits below.',
      }),
      quota_network: quota(100, 'networks'),
      quota_subnet: quota(100, 'subnets'),
      quota_port: quota(500, 'ports'),
      quota_router: quota(10, 'routers'),
      quota_floatingip: quota(50, 'floating IPs'),
      quota_security_group: quota(10, 'security groups'),
      quota_security_group_rule: quota(100, 'security group rules'),
      quota_subnetpool: quota(-1, 'subnet pools'),
      quota_rbac_policy: quota(10, 'RBAC policies'),
    },
    { description: 'Networks, their addresses, routers and security groups.' },
  ),
)
