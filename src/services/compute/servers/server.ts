/** A server: its row, its states, and how they read in the API. */
import type { StoredBytes } from '../drivers/driver.ts'

export const vmStates = [
  'building',
  'active',
  'paused',
  'suspended',
  'stopped',
  'rescued',
  'resized',
  'shelved',
  'shelved_offloaded',
  'soft-delete',
  'error',
] as const
export type VmState = (typeof vmStates)[number]

/** What is being done to a server; null when nothing is. */
export type TaskState =
  | 'scheduling'
  | 'networking'
  | 'block_device_mapping'
  | 'spawning'
  | 'deleting'
  | 'powering-off'
  | 'powering-on'
  | 'rebooting'
  | 'rebooting_hard'
  | 'pausing'
  | 'unpausing'
  | 'suspending'
  | 'resuming'
  | 'image_snapshot'
  | 'image_backup'
  | 'rebuilding'
  | 'rescuing'
  | 'unrescuing'
  | 'resize_prep'
  | 'resize_migrating'
  | 'resize_finish'
  | 'resize_reverting'
  | 'migrating'
  | 'shelving'
  | 'shelving_offloading'
  | 'unshelving'
  | 'soft-deleting'
  | 'restoring'

/** The flavor as it was when the server was made: flavors may change or go, servers stay as they are. */
export interface ServerFlavor {
  id: string
  name: string
  vcpus: number
  ram: number
  disk: number
  ephemeral: number
  swap: number
  extra_specs: Record<string, string>
}

/** What a host needs to know of the image for as long as the server lives, even when the image is gone. */
export interface ServerImage {
  id: string
  name: string | null
  size: number
  disk_format: 'raw' | 'qcow2'
  /** The format of the stored bytes, when hosts have to make `disk_format` of it first. */
  stored_as?: string
  /** Bytes of the disk inside, where they are known. */
  virtual_size?: number
  /** Guests see it in a CD-ROM drive. */
  optical?: true
  /** Why no host may have it. */
  unacceptable?: string
  hash_algo: string
  hash_value: string
  /** What its bytes are only the changes to, the nearest first. */
  bases?: StoredBytes[]
  min_disk: number
  min_ram: number
  properties: Record<string, string>
  /** Images of the kernel and ramdisk, when it boots by them. */
  kernel?: ServerImage
  ramdisk?: ServerImage
}

export interface ServerFault {
  code: number
  message: string
  /** For admins. */
  details: string
  created: string
}

/** What brings a server back that was put away: from rescue, from the shelf, from its soft deletion. */
export interface Recovery {
  /** It runs from this image's disk, with its own beside. */
  rescue?: { image: ServerImage }
  /** Its root disk was stored as this image; without one it is a volume. */
  shelved?: { image_id?: string; at: string }
  soft_deleted?: { vm_state: VmState; at: string }
}

export interface ServerRow {
  id: string
  project_id: string
  user_id: string
  /** Shared by the servers of one request. */
  reservation_id: string
  launch_index: number
  display_name: string
  display_description: string | null
  hostname: string
  /** Null until a host has been chosen, and after a failed build. */
  host: string | null
  node: string | null
  availability_zone: string | null
  image: ServerImage | null
  image_ref: string | null
  flavor: ServerFlavor
  flavor_id: string
  /** What counts against the quota: while two flavors are possible (a resize), the larger amounts. */
  vcpus: number
  memory_mb: number
  disk_gb: number
  vm_state: VmState
  task_state: TaskState | null
  power_state: number
  progress: number
  created_at: string
  updated_at: string
  launched_at: string | null
  key_name: string | null
  config_drive: boolean
  metadata: Record<string, string>
  access_ip_v4: string | null
  access_ip_v6: string | null
  locked_by: 'owner' | 'admin' | null
  locked_reason: string | null
  root_device_name: string
  disk_config: 'AUTO' | 'MANUAL'
  trusted_image_certificates: string[] | null
  fault: ServerFault | null
  recovery: Recovery | null
  /** Set on rows from the archive alone. */
  terminated_at?: string
}

/** A file to be put into the guest. `contents` is base64. */
export interface InjectedFile {
  path: string
  contents: string
}

export interface GuestDataRow {
  server_id: string
  /** Base64, as sent. */
  user_data: string | null
  public_key: string | null
  key_type: string | null
  /** Sealed, and kept only until the server is built: it is told to the guest and to the caller once. */
  admin_password: string | null
  personality: InjectedFile[] | null
  /** A password that the guest made, encrypted for its owner. */
  encrypted_password?: string | null
  /** Of the server's encrypted disks, sealed. */
  disk_key?: string | null
}

/** What was asked for, kept for choosing hosts again. */
export interface RequestSpec {
  availability_zone: string | null
  /** A host (or hypervisor) that an admin named. */
  requested_host: string | null
  scheduler_hints: Record<string, string[]>
  group_id: string | null
  /** Of servers that were asked for as one: they have links to one another. */
  bundle_id?: string
  /** The roles of who asked. */
  boot_roles?: string[]
}

type StatusParts = Pick<ServerRow, 'vm_state' | 'task_state' | 'terminated_at'>

const rebuild = { rebuilding: 'REBUILD' } as const
const resize = { resize_prep: 'RESIZE', resize_migrating: 'RESIZE', resize_finish: 'RESIZE' } as const
const hardReboot = { rebooting_hard: 'HARD_REBOOT' } as const

/** The status that users see of a state, and of the tasks that change it. */
const statuses: Record<VmState, { status: string; during?: Partial<Record<TaskState, string>> }> = {
  building: { status: 'BUILD' },
  active: {
    status: 'ACTIVE',
    during: { rebooting: 'REBOOT', migrating: 'MIGRATING', ...hardReboot, ...rebuild, ...resize },
  },
  paused: { status: 'PAUSED', during: { migrating: 'MIGRATING', ...hardReboot } },
  suspended: { status: 'SUSPENDED', during: hardReboot },
  stopped: { status: 'SHUTOFF', during: { ...hardReboot, ...rebuild, ...resize } },
  rescued: { status: 'RESCUE' },
  resized: { status: 'VERIFY_RESIZE', during: { resize_reverting: 'REVERT_RESIZE' } },
  shelved: { status: 'SHELVED' },
  shelved_offloaded: { status: 'SHELVED_OFFLOADED' },
  'soft-delete': { status: 'SOFT_DELETED' },
  error: { status: 'ERROR', during: { ...hardReboot, ...rebuild } },
}

/** The status that users see. */
export function statusOf({ vm_state, task_state, terminated_at }: StatusParts): string {
  if (terminated_at !== undefined) return 'DELETED'
  const { status, during } = statuses[vm_state]
  return (task_state !== null && during?.[task_state]) || status
}

/** The states, with the tasks where only these count, that a status in a filter stands for; none for unknown statuses. */
export function statesOf(asked: string): { vm_state: VmState; task_states?: TaskState[] }[] {
  const wanted = asked.toUpperCase()
  return vmStates.flatMap(vm_state => {
    const { status, during = {} } = statuses[vm_state]
    if (status === wanted) return { vm_state }
    const task_states = (Object.keys(during) as TaskState[]).filter(task => during[task] === wanted)
    return task_states.length > 0 ? { vm_state, task_states } : []
  })
}
