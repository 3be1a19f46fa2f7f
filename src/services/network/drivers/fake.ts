/** A data plane that only remembers: ports are wired at once, faults come on demand. For the simulated cloud and for tests. */
import { type Clock, systemClock } from '#kernel/clock.ts'
import { Unavailable } from '#kernel/errors.ts'
import type {
  ConvergeReport,
  DataPlane,
  HostNetworkState,
  MetadataHandler,
  MetadataRequest,
  MetadataResponse,
} from './driver.ts'

export interface FakePlane extends DataPlane {
  /** What was asked for last, as it was then; undefined before the first time and after a purge. */
  readonly applied: HostNetworkState | undefined
  /** Every revision that was applied, in order. */
  readonly revisions: readonly number[]
  readonly faults: {
    /** The next `times` converges throw and change nothing. */
    fail(message: string, times?: number): void
    /** The next `times` converges take `ms` on the clock. */
    delay(ms: number, times?: number): void
    /** The port is left out and told as a problem until `restore`. */
    forget(portId: string): void
    restore(portId?: string): void
  }
  /** Plays a guest that asks for metadata. */
  request(
    request: Partial<MetadataRequest> & Pick<MetadataRequest, 'network_id' | 'source_ip'>,
  ): Promise<MetadataResponse>
}

export interface FakePlaneOptions {
  clock?: Clock
  extensions?: string[]
  /** See `DataPlane`. */
  alone?: boolean
}

export function fakePlane(options: FakePlaneOptions = {}): FakePlane {
  const { clock = systemClock(), extensions = allExtensions, alone = false } = options
  let applied: HostNetworkState | undefined
  let handler: MetadataHandler | undefined
  const revisions: number[] = []
  const failures: string[] = []
  const delays: number[] = []
  const forgotten = new Set<string>()

  async function converge(desired: HostNetworkState): Promise<ConvergeReport> {
    const wait = delays.shift()
    if (wait !== undefined) await clock.sleep(wait)
    const failure = failures.shift()
    if (failure !== undefined) throw new Unavailable(failure)
    applied = copyOf(desired)
    revisions.push(desired.revision)
    const networks = new Set(desired.networks.map(network => network.id))
    const report: ConvergeReport = { revision: desired.revision, wired: [], problems: [] }
    for (const { id, network_id } of desired.ports) {
      if (!networks.has(network_id)) {
        report.problems.push({ id, message: `The port is not carried: its network ${network_id} is not on this host.` })
      } else if (forgotten.has(id)) report.problems.push({ id, message: 'The port was forgotten, as the test asked.' })
      else report.wired.push({ port_id: id, tap: { name: `tap${id.slice(0, 11)}` } })
    }
    return report
  }

  return {
    name: 'fake',
    alone,
    get applied() {
      return applied
    },
    revisions,
    faults: {
      fail: (message, times = 1) => void failures.push(...Array<string>(times).fill(message)),
      delay: (ms, times = 1) => void delays.push(...Array<number>(times).fill(ms)),
      forget: portId => void forgotten.add(portId),
      restore: portId => (portId === undefined ? forgotten.clear() : void forgotten.delete(portId)),
    },
    facts: async () => ({ name: 'fake', extensions, problems: [] }),
    converge,
    onMetadata(next) {
      handler = next
    },
    async request(request) {
      if (!handler) return { status: 503, headers: {}, body: 'Service Unavailable' }
      return handler({ method: 'GET', path: '/', headers: {}, body: Buffer.alloc(0), ...request })
    },
    async purge() {
      applied = undefined
    },
    async [Symbol.asyncDispose]() {},
  }
}

/** What the caller changes afterwards must not change what was applied. Neighbours may be thousands, and one that was told stays as it is: of them the list alone is copied. */
function copyOf({ networks, security_groups, ...desired }: HostNetworkState): HostNetworkState {
  return {
    ...structuredClone(desired),
    networks: networks.map(({ leases, ...network }) => ({ ...structuredClone(network), leases: [...leases] })),
    security_groups: security_groups.map(({ members, ...group }) => ({
      ...structuredClone(group),
      members: [...members],
    })),
  }
}

const allExtensions = [
  'allowed-address-pairs',
  'dns-integration',
  'ext-gw-mode',
  'external-net',
  'extra_dhcp_opt',
  'extraroute',
  'net-mtu',
  'port-security',
  'router',
  'security-group',
  'stateful-security-group',
]
