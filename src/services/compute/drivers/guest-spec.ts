/** A guest as its host is told of it: its machine, disks, NICs and the files that it is given. All that a driver ever learns of a server. */

/** Bytes that the image service keeps, as a host gets them. */
export interface StoredBytes {
  /** Of the image. */
  id: string
  size: number
  /** Hex digest of them and the algorithm's name; the host checks it before it uses the file. */
  hash_algo: string
  hash_value: string
}

export interface ImageSpec extends StoredBytes {
  disk_format: 'raw' | 'qcow2'
  /** The format of the stored bytes, by QEMU's name, when it is another one: the host converts them once. */
  stored_as?: string
  /** The stored bytes are qcow2 and hold only what changed since these, which are too, the nearest first: the host makes one disk of all. */
  bases?: StoredBytes[]
  /** Bytes of the disk inside, as the image service read them there. */
  virtual_size?: number
  /** Image properties (`hw_disk_bus`, `hw_vif_model`, `hw_machine_type`, `os_require_quiesce` …). */
  properties: Record<string, string>
  /** Images with the kernel and ramdisk when the image boots directly (`kernel_id`, `ramdisk_id`). */
  kernel?: ImageSpec
  ramdisk?: ImageSpec
}

export interface DiskSpec {
  /** Stable id, unique in the guest; the guest sees (the first 20 characters of) it as the disk's serial. */
  id: string
  /** `image`: overlay on the cached image. `blank`: empty (ephemeral, swap). `volume`: an outside block device, opened by QEMU. */
  source:
    | { type: 'image'; image: ImageSpec }
    | { type: 'blank' }
    | { type: 'volume'; connection: Record<string, unknown> }
  size_gb: number
  /** 0 boots first; negative never boots. */
  boot_index: number
  bus?: string
  /** The guest sees a CD-ROM drive, and cannot write to it. */
  cdrom?: true
  /** Requested device name such as `vda`; only a hint. */
  device_name?: string
}

export interface NicSpec {
  port_id: string
  mac: string
  mtu: number
  /** The tap that the data plane made, and the network namespace it is in. Absent with the fake data plane: the guest gets no link. */
  tap?: { name: string; netns?: string }
}

/** Content of a file: text, or bytes that are no text. */
export type DriveFile = string | { base64: string }

export interface GuestSpec {
  /** The server's UUID; also the guest's SMBIOS UUID and the name of its directory. */
  id: string
  /** Display name, for people reading process lists. Untrusted: any characters. */
  name: string
  vcpus: number
  memory_mb: number
  disks: DiskSpec[]
  nics: NicSpec[]
  /** Files of the config drive by path (`openstack/latest/meta_data.json`), or absent for no config drive. */
  config_drive?: Record<string, DriveFile>
  /** The flavor's name, for others on the host. */
  flavor?: string
  /** Flavor extra specs. */
  extra_specs: Record<string, string>
  /** How the guest sees its vCPUs; absent: a socket each. */
  cpu_topology?: { sockets: number; cores: number; threads: number }
  /** Where its memory and vCPUs lie; absent: wherever the host likes. */
  cells?: GuestCellSpec[]
  /** CPUs of the host for all of it that no cell binds; absent: all of them. */
  floating_cpus?: number[]
  /** vCPUs that run before all else on their CPU. */
  realtime_vcpus?: number[]
  /** Its memory is never swapped out. */
  locked_memory?: boolean
  /** PCI devices of the host, by address. */
  devices?: string[]
  /** The disks that the host makes are encrypted with it. Sent whenever they are to be opened; the host does not keep it. */
  disk_key?: string
}

/** A NUMA cell of a guest. */
export interface GuestCellSpec {
  id: number
  vcpus: number[]
  memory_mb: number
  host_cell: number
  /** Size of its pages in KiB; absent: ordinary ones. */
  page_kb?: number
  /** CPUs of the host by vCPU. */
  pins: Record<number, number>
  /** CPUs of the host for its other vCPUs. */
  shared_cpus: number[]
}
