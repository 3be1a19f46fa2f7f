/** What a host's compute agent does when called over the bus: `host.<name>.compute`. Versioned, idempotent. */
import type { CallContext } from '#kernel/bus/bus.ts'
import type {
  BackupOrder,
  ConsoleEndpoint,
  DiskSpec,
  DriveFile,
  GuestProgram,
  GuestSpec,
  GuestState,
  HostFacts,
  ImageSpec,
  IncomingAddress,
  Keep,
  KeptFiles,
  MigrationProgress,
  NicSettings,
  NicSpec,
  PowerState,
  ProgramEnd,
  RebootType,
} from '../drivers/driver.ts'

export const computeAgentVersion = 2
/** What nearly all calls ask for: agents of the release before take them. */
export const plainVersion = 1
/** What calls about images with `bases` ask for: who does not know these would take the changes for a whole disk. */
export const basesVersion = 2

/** Subject of a host's compute agent. Hosts' names may have dots, so use `subjectWord(host)`. */
export const computeAgentSubject = (hostWord: string) => `host.${hostWord}.compute`

/** A guest's failure arrives as a `Fault` of type `GuestError`; its `extra.retry_elsewhere` says whether another host might do better, `refused` that its agent says no. */
export interface ComputeAgentMethods {
  facts(input: null): Promise<HostFacts>
  spawn(input: { spec: GuestSpec; power_on: boolean }): Promise<null>
  /** `keep`: its disks stay for a while. Agents from before that remove them. */
  destroy(input: { id: string; keep?: Keep }): Promise<null>
  keptFiles(input: null): Promise<KeptFiles[]>
  /** Uploads the root disk of a guest whose files are kept as the image's bytes. */
  snapshotKept(input: { id: string; image_id: string; format: 'raw' | 'qcow2' }): Promise<null>
  dropKept(input: { id: string }): Promise<null>
  start(input: { spec: GuestSpec }): Promise<null>
  stop(input: { id: string; grace_seconds: number }): Promise<null>
  reboot(input: { spec: GuestSpec; type: RebootType; grace_seconds: number }): Promise<null>
  pause(input: { id: string }): Promise<null>
  unpause(input: { id: string }): Promise<null>
  suspend(input: { id: string }): Promise<null>
  resume(input: { spec: GuestSpec }): Promise<null>
  list(input: null): Promise<GuestState[]>
  state(input: { id: string }): Promise<PowerState>
  consoleLog(input: { id: string; lines?: number }): Promise<string>
  console(input: { id: string; type: 'vnc' | 'serial' }): Promise<ConsoleEndpoint>
  attachNic(input: { id: string; nic: NicSpec }): Promise<null>
  detachNic(input: { id: string; port_id: string }): Promise<null>
  attachDisk(input: { id: string; disk: DiskSpec }): Promise<null>
  detachDisk(input: { id: string; disk_id: string }): Promise<null>
  swapDisk(input: { id: string; disk_id: string; disk: DiskSpec }): Promise<null>
  /** Uploads the guest's root disk as the image's bytes. `backup`: perhaps only what changed since an earlier one; agents from before that upload all of it. */
  snapshot(input: {
    id: string
    image_id: string
    format: 'raw' | 'qcow2'
    backup?: Pick<BackupOrder, 'since'>
  }): Promise<null>
  diagnostics(input: { id: string; filesystems?: boolean }): Promise<Record<string, unknown>>
  injectNmi(input: { id: string }): Promise<null>
  /** Fetches an image before any guest needs it. */
  cacheImage(input: { image: ImageSpec }): Promise<'cached' | 'existing'>
  changePassword(input: { id: string; user: string; password: string }): Promise<null>
  resetNetwork(input: { id: string; nics: NicSettings[] }): Promise<null>
  guestSystem(input: { id: string }): Promise<string>
  runInGuest(input: { id: string; program: GuestProgram }): Promise<ProgramEnd>
  /** The text may be a secret. Agents from before that write all of a text alone. */
  writeInGuest(input: { id: string; path: string; text: DriveFile; at?: number }): Promise<null>
  agentVersion(input: { id: string }): Promise<string>
  reshape(input: { spec: GuestSpec; power_on: boolean; grace_seconds: number }): Promise<null>
  setAside(input: { id: string; grace_seconds: number }): Promise<null>
  bringBack(input: { id: string }): Promise<null>
  dropAside(input: { id: string }): Promise<null>
  prepareIncoming(input: { spec: GuestSpec }): Promise<IncomingAddress>
  sendAside(input: { id: string; to: IncomingAddress }): Promise<null>
  migrateLive(input: { id: string; to: IncomingAddress }): Promise<null>
  migrationProgress(input: { id: string }): Promise<MigrationProgress | null>
  forceMigration(input: { id: string }): Promise<null>
}

export const computeControlVersion = 1
export const computeControlSubject = 'control.compute'

/** The machine under a host, for operators. */
export interface MachineState {
  /** Where the control plane and other hosts reach it. */
  address: string
  uptime_seconds: number
  /** Over 1, 5 and 15 minutes. */
  load: number[]
}

/** What agents call on the control plane. */
export interface ComputeControlMethods {
  /** Heartbeat with what the host is and can do; also the guests found there. `started` is true in an agent's first report. */
  report(
    input: { host: string; facts: HostFacts; guests: GuestState[]; started: boolean; machine: MachineState },
    context: CallContext,
  ): Promise<null>
  /** A guest changed its power state by itself. */
  guestEvent(input: { host: string; id: string; power_state: PowerState; reason: string }): Promise<null>
}
