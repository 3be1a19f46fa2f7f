/**
 * The virt driver: what a host must be able to do with guests. Every method is idempotent: done twice is the same as done once, and
 * a guest that is already as asked is a success. Of a guest that is not on this host `state` says `nostate`, `destroy` succeeds, and all else
 * throws GuestError; so does what makes no sense in the guest's power state. `destroy` interrupts whatever goes on with the guest.
 * A driver never sees the database; it is told all it needs in `GuestSpec`.
 */
import type { Readable } from 'node:stream'
import type { DiskSpec, DriveFile, GuestSpec, ImageSpec, NicSpec, StoredBytes } from './guest-spec.ts'
import type { Keep, KeptFiles } from './kept.ts'

export type { DiskSpec, DriveFile, GuestCellSpec, GuestSpec, ImageSpec, NicSpec, StoredBytes } from './guest-spec.ts'
export type { Keep, KeptFiles } from './kept.ts'

/** Nova's power states, as numbers on the wire. */
export const powerStates = { nostate: 0, running: 1, paused: 3, shutdown: 4, crashed: 6, suspended: 7 } as const
export type PowerState = (typeof powerStates)[keyof typeof powerStates]

/** Where a host gets the bytes of an image. */
export interface ImageSource {
  open(image: StoredBytes, signal?: AbortSignal): Promise<Readable>
}

/** What a backup becomes, and what it may stand on. */
export interface BackupOrder {
  /** The image that it becomes: by its name the host keeps count of what changes from then on. */
  image_id: string
  /** An earlier one of the guest, and how large its disk is. */
  since?: { image_id: string; bytes: number }
}

export interface Backup {
  /** A qcow2 file. */
  bytes: Readable
  /** The image that they are only the changes to; absent: they are the whole disk. */
  base?: string
}

/** What a guest has on one of its NICs. */
export interface NicSettings {
  mac: string
  mtu: number
  addresses: { address: string; prefix: number }[]
  /** `to` is `default` or a range; those of the network come before the default. */
  routes: { to: string; via: string }[]
}

/** A program for a guest to run: a vector of arguments, never a line for a shell. */
export interface GuestProgram {
  path: string
  args: string[]
  /** `NAME=value`, in place of the agent's own. */
  env?: string[]
  wait_ms: number
}

/** How it ended. Text is the guest's word: bounded, and not to be believed. */
export interface ProgramEnd {
  /** Null when it did not begin, or did not end in time: `errors` says why. */
  code: number | null
  /** The last of what it printed. */
  output: string
  errors: string
}

export type RebootType = 'soft' | 'hard'

/** A NUMA cell of a host: CPUs with the memory that is near them. */
export interface HostCell {
  id: number
  socket: number
  cpus: number[]
  /** CPUs of one core each. */
  siblings: number[][]
  memory_mb: number
  /** Pages that are larger than ordinary ones. */
  pages: { size_kb: number; total: number }[]
}

/** A PCI device of a host. */
export interface HostDevice {
  address: string
  /** Four hexadecimal digits each. */
  vendor_id: string
  product_id: string
  /** The NUMA cell that it is next to, where the host knows. */
  cell?: number
}

export interface HostFacts {
  hypervisor_type: string
  hypervisor_version: number
  hypervisor_hostname: string
  vcpus: number
  memory_mb: number
  disk_gb: number
  cpu_info: {
    arch: string
    model: string
    vendor: string
    features: string[]
    topology: { cells: number; sockets: number; cores: number; threads: number }
  }
  /** Absent: nothing is known of it, and no guest is bound to cells or CPUs. */
  cells?: HostCell[]
  devices?: HostDevice[]
  /** Placement traits such as `COMPUTE_NODE`, `HW_CPU_X86_AVX2`, `COMPUTE_STATUS_DISABLED` is the control plane's. */
  traits: string[]
  /** What this host can do; operations that need an absent one are refused with 409/400 as upstream does. */
  capabilities: {
    suspend: boolean
    /** Sends guests to other hosts of its kind and takes theirs. */
    migrate: boolean
    live_migrate: boolean
    snapshot: boolean
    attach_interface: boolean
    attach_volume: boolean
    vnc: boolean
    serial: boolean
    spice: boolean
  }
}

/** Where a host expects a guest; only drivers of the kind that made it understand it. */
export type IncomingAddress = Record<string, string | number>

/** In bytes. */
export interface MigrationProgress {
  memory_total: number
  memory_processed: number
  memory_remaining: number
  disk_total: number
  disk_processed: number
  disk_remaining: number
}

export interface GuestState {
  id: string
  power_state: PowerState
}

/** Where the console proxy connects. `tcp` addresses are loopback or the host's management address. */
export type ConsoleEndpoint = { type: 'unix'; path: string } | { type: 'tcp'; host: string; port: number }

export type GuestEvent = { type: 'power'; id: string; power_state: PowerState; reason: string }

export interface VirtDriver extends AsyncDisposable {
  readonly name: string
  /** Facts of this host. Cheap after the first call; called at start and every minute. */
  facts(): Promise<HostFacts>
  /** Re-adopts guests that run already, and reports all guests known on this host (running or not). Called once at start. */
  recover(): Promise<GuestState[]>
  /** Brings a guest to running from nothing or from any half-built state. Throws `GuestError` with a message fit for the fault. */
  spawn(spec: GuestSpec, options: { signal?: AbortSignal; power_on: boolean }): Promise<void>
  /**
   * Removes the guest, its disks and files, whatever state it is in; also what was set aside of it. Unknown ids succeed. With `keep` the disks of
   * a guest that was whole stay, where nothing starts it.
   */
  destroy(id: string, keep?: Keep): Promise<void>
  /** What is kept of guests that were destroyed. */
  keptFiles(): Promise<KeptFiles[]>
  /** Like `snapshot`, of a guest whose files are kept. */
  snapshotKept(id: string, format: 'raw' | 'qcow2'): Promise<Readable>
  /** Removes what is kept of a guest; nothing kept is fine. */
  dropKept(id: string): Promise<void>
  /** Removes what has been kept for long enough or takes room that is needed, the oldest first. Returns whose it was. */
  purgeKept(): Promise<string[]>
  /** Starts a guest that is shut down; `spec` as at spawn, with nics as they are now. */
  start(spec: GuestSpec): Promise<void>
  /** ACPI power button, then off after `graceSeconds` (0: at once). */
  stop(id: string, graceSeconds: number): Promise<void>
  reboot(spec: GuestSpec, type: RebootType, graceSeconds: number): Promise<void>
  pause(id: string): Promise<void>
  unpause(id: string): Promise<void>
  /** Saves memory to disk and frees the host's RAM. */
  suspend(id: string): Promise<void>
  resume(spec: GuestSpec): Promise<void>
  list(): Promise<GuestState[]>
  state(id: string): Promise<PowerState>
  /** The last `lines` lines of the serial console, all that is kept when undefined. Kept output is bounded (ring). */
  consoleLog(id: string, lines?: number): Promise<string>
  console(id: string, type: 'vnc' | 'serial'): Promise<ConsoleEndpoint>
  attachNic(id: string, nic: NicSpec): Promise<void>
  detachNic(id: string, portId: string): Promise<void>
  /** Gives a guest one more disk, by its id; a running guest at once. */
  attachDisk(id: string, disk: DiskSpec): Promise<void>
  /** A disk of the host is removed with what is on it; a volume is only let go. */
  detachDisk(id: string, diskId: string): Promise<void>
  /** Copies what is on the disk to `disk`, which takes its place; the guest runs and sees nothing of it. */
  swapDisk(id: string, diskId: string, disk: DiskSpec): Promise<void>
  /** Writes the guest's root disk, flattened, as `format`; the guest may run. The stream is read to its end by the caller. */
  snapshot(id: string, format: 'raw' | 'qcow2'): Promise<Readable>
  /**
   * Copies the guest's root disk like `snapshot`: only what changed since the backup that is named, when the host has kept count from that very
   * moment on, else all of it. It goes on keeping count from both until the next backup, which says which of them became an image.
   */
  backup(id: string, order: BackupOrder): Promise<Backup>
  /** Counters of Nova's diagnostics; on request with what an agent in the guest says of its `filesystems`, which may take seconds. */
  diagnostics(id: string, options?: { filesystems: boolean }): Promise<Record<string, unknown>>
  /** Non-maskable interrupt, so that the guest writes a crash dump. */
  injectNmi(id: string): Promise<void>
  /** Sets a user's password through the guest's agent; throws when it has none. */
  changePassword(id: string, user: string, password: string): Promise<void>
  /** Has the guest's agent give its NICs what they are to have, whatever was made of them; throws when it has none. */
  resetNetwork(id: string, nics: NicSettings[]): Promise<void>
  /** What the guest's agent calls its system, by the ID of os-release (`debian`); throws when it has none, or none answers. */
  guestSystem(id: string): Promise<string>
  /** Has the guest's agent run a program, and waits until it ends. The wait may end before: then it goes on in the guest. Throws when no agent answers. */
  runInGuest(id: string, program: GuestProgram, signal?: AbortSignal): Promise<ProgramEnd>
  /** Has the guest's agent write a file, in a folder that is there: all of it, or from the byte `at` on where that is not 0. */
  writeInGuest(id: string, path: string, content: DriveFile, at?: number): Promise<void>
  /** What the guest's agent says that its version is (`8.2.2`); throws when it has none, or none answers. */
  agentVersion(id: string): Promise<string>
  /**
   * Makes the guest what `spec` says: disks that are not there are made, larger ones grow, those it does not name go, the config drive is written
   * anew. Stops the guest for it; then it boots, or stays off.
   */
  reshape(spec: GuestSpec, options: { signal?: AbortSignal; power_on: boolean; grace_seconds: number }): Promise<void>
  /** Stops the guest and puts it aside with its disks: it is not listed, and nothing starts it. Also a success: it is aside already, or not here. */
  setAside(id: string, graceSeconds: number): Promise<void>
  /** Puts what was set aside in its place again, instead of what is there now; it is off. Without anything aside, nothing changes. */
  bringBack(id: string): Promise<void>
  /** Removes what was set aside. */
  dropAside(id: string): Promise<void>
  /** Makes ready for a guest that another host, or this one, sends. The address is good for one sending; a later one replaces it. */
  prepareIncoming(spec: GuestSpec): Promise<IncomingAddress>
  /** Sends a copy of what was set aside, which becomes a guest there that is off. */
  sendAside(id: string, to: IncomingAddress, options: { signal?: AbortSignal }): Promise<void>
  /** Moves a guest that runs (or is paused) there without stopping it, and sets aside here what is left of it. Moved already: a success. */
  migrateLive(id: string, to: IncomingAddress, options: { signal?: AbortSignal }): Promise<void>
  /** How far a live migration is; undefined when none goes on. */
  migrationProgress(id: string): Promise<MigrationProgress | undefined>
  /** Ends a live migration soon: the guest may stand still for it. */
  forceMigration(id: string): Promise<void>
  /** Fetches an image before any guest needs it; says whether it was there already. */
  cacheImage(image: ImageSpec, signal?: AbortSignal): Promise<'cached' | 'existing'>
  /** Removes cached images that no guest has used for `maxAgeMs`. Returns how many bytes were freed. */
  purgeImageCache(maxAgeMs: number): Promise<number>
  /** Called on each change of power state that the driver did not make because it was told to. */
  onEvent(listener: (event: GuestEvent) => void): void
}

/** How image properties say yes. */
export const isTrue = (value: string | undefined) => /^(yes|y|true|t|1|on)$/i.test(value ?? '')

/** A failure to be shown as the server's fault. */
export class GuestError extends Error {
  /** True when another host might do better (no space, no such machine type); the server is then scheduled again. */
  readonly retryElsewhere: boolean
  constructor(message: string, options: { cause?: unknown; retryElsewhere?: boolean } = {}) {
    super(message, { cause: options.cause })
    this.name = 'GuestError'
    this.retryElsewhere = options.retryElsewhere ?? false
  }
}

/** The agent in a guest is there and says no: to ask it again is of no use. */
export class AgentRefusal extends GuestError {}
