/** From a guest's machine to QEMU's argument vector. Pure: no file is touched, nothing is asked. */
import { GuestError, type GuestSpec, type NicSpec } from '../driver.ts'
import { layoutArguments } from './machine-layout.ts'

export type Accel = 'kvm' | 'tcg'

/** The CPU that guests get. */
export const cpuModelOf = (accel: Accel) => (accel === 'kvm' ? 'host' : 'qemu64')

/** A disk as QEMU opens it; paths are relative to the guest's directory. */
export interface DiskFile {
  id: string
  file: string
  bytes: number
  /** The cached image that the overlay stands on. */
  base?: { file: string; format: 'raw' | 'qcow2' }
  boot_index: number
  bus: 'virtio' | 'scsi' | 'sata' | 'usb'
  cdrom?: true
  /** What the guest writes is encrypted (LUKS); a base is not. */
  encrypted?: true
}

export interface DirectBoot {
  kernel: string
  ramdisk?: string
  command_line: string
}

/** All that the command line depends on. Kept on disk, so that a guest resumes on the machine it was suspended on. */
export interface Machine {
  spec: Omit<GuestSpec, 'config_drive' | 'disk_key'>
  accel: Accel
  disks: DiskFile[]
  config_drive: boolean
  /** The guest has an agent to talk to. */
  agent?: boolean
  direct_boot?: DirectBoot
  vif_model: string
  /** Which PCIe root port each device sits in, by device id. */
  ports: Record<string, number>
  port_count: number
}

type Options = Record<string, string | number | boolean>

/** Root ports kept free for devices that are plugged in later; a machine cannot grow them while it runs. */
const sparePorts = 8

/** QEMU's name of the key of encrypted disks. */
export const keyName = 'disk-key'

export const diskNode = (id: string) => `disk-${id}`
export const nicDevice = (portId: string) => `nic-${portId}`
const passedDevice = (address: string) => `pci-${address.replace(/[^0-9a-f]/g, '-')}`
export const netdev = (portId: string) => `net-${portId}`

const nicDrivers: Record<string, string> = {
  virtio: 'virtio-net-pci',
  e1000: 'e1000',
  e1000e: 'e1000e',
  rtl8139: 'rtl8139',
}

export const vifModels = Object.keys(nicDrivers)

/** Gives each device of a machine that boots afresh its root port. */
export function assignPorts(machine: Omit<Machine, 'ports' | 'port_count'>): Pick<Machine, 'ports' | 'port_count'> {
  const devices = ['rng0']
  if (machine.disks.some(disk => disk.bus === 'scsi')) devices.push('scsi0')
  if (machine.disks.some(disk => disk.bus === 'usb')) devices.push('usb0')
  for (const disk of machine.disks) if (disk.bus === 'virtio') devices.push(diskNode(disk.id))
  if (machine.config_drive) devices.push('config-drive')
  if (machine.agent) devices.push('agent0')
  for (const nic of machine.spec.nics) devices.push(nicDevice(nic.port_id))
  for (const address of machine.spec.devices ?? []) devices.push(passedDevice(address))
  return {
    ports: Object.fromEntries(devices.map((device, index) => [device, index])),
    port_count: devices.length + sparePorts,
  }
}

export function freePort(machine: Machine): number {
  const taken = new Set(Object.values(machine.ports))
  for (let port = 0; port < machine.port_count; port++) if (!taken.has(port)) return port
  throw new GuestError('No more devices can be attached to this guest while it runs.')
}

/** The netdev of a NIC as QMP takes it. Without a tap it is a hub of its own, which leads nowhere. */
export function netdevOptions(nic: NicSpec, port: number): Options & { type: string } {
  const id = netdev(nic.port_id)
  if (!nic.tap) return { type: 'hubport', id, hubid: port }
  return { type: 'tap', id, ifname: nic.tap.name, script: 'no', downscript: 'no' }
}

export function nicOptions(nic: NicSpec, model: string, port: number): Options & { driver: string } {
  return {
    driver: nicDrivers[model] ?? 'virtio-net-pci',
    id: nicDevice(nic.port_id),
    netdev: netdev(nic.port_id),
    mac: nic.mac,
    bus: `port${port}`,
    romfile: '',
    ...(model === 'virtio' ? { host_mtu: nic.mtu } : {}),
  }
}

/**
 * The arguments of QEMU (without the program's name). `incoming`: the guest's memory comes from standard input. Every guest starts with its
 * CPUs stopped, so that no event is lost before we listen.
 */
export function commandLine(machine: Machine, options: { incoming: boolean }): string[] {
  const { spec } = machine
  return [
    ...['-name', keyval({ guest: printable(spec.name), 'debug-threads': 'on' })],
    ...['-uuid', spec.id],
    ...['-machine', 'q35,vmport=off'],
    ...['-accel', machine.accel === 'kvm' ? 'kvm' : 'tcg,thread=multi,tb-size=64'],
    ...['-cpu', cpuModelOf(machine.accel)],
    ...layoutArguments(spec),
    ...['-nodefaults', '-no-user-config', '-S'],
    ...['-boot', 'strict=on'],
    ...['-rtc', 'base=utc,driftfix=slew'],
    ...['-sandbox', 'on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny'],
    ...['-smbios', smbios(spec.id)],
    ...['-chardev', 'socket,id=monitor,path=run/qmp,server=on,wait=off', '-mon', 'chardev=monitor,mode=control'],
    ...['-chardev', 'socket,id=serial0,path=run/tty,server=on,wait=off,logfile=console.log,logappend=on'],
    ...['-serial', 'chardev:serial0'],
    ...['-vga', 'std', '-vnc', 'unix:run/vnc'],
    ...rootPorts(machine.port_count),
    ...['-object', 'rng-random,id=rng-source,filename=/dev/urandom'],
    ...device({ driver: 'virtio-rng-pci', id: 'rng0', rng: 'rng-source', bus: portOf(machine, 'rng0') }),
    ...disks(machine),
    ...(machine.agent ? agentChannel(machine) : []),
    ...spec.nics.flatMap(nic => nicArguments(machine, nic)),
    ...(spec.devices ?? []).flatMap(address => hostDevice(machine, address)),
    ...directBoot(machine.direct_boot),
    ...(options.incoming ? ['-incoming', 'fd:0'] : []),
  ]
}

function rootPorts(count: number): string[] {
  return Array.from({ length: count }, (_, index) => {
    const addr = `0x${(2 + Math.floor(index / 8)).toString(16)}.${index % 8}`
    return device({ driver: 'pcie-root-port', id: `port${index}`, chassis: index + 1, addr, multifunction: 'on' })
  }).flat()
}

const portOf = (machine: Machine, id: string) => `port${machine.ports[id]}`

function disks(machine: Machine): string[] {
  const has = (bus: DiskFile['bus']) => machine.disks.some(disk => disk.bus === bus)
  let sataPort = 0
  return [
    ...(has('scsi') ? device({ driver: 'virtio-scsi-pci', id: 'scsi0', bus: portOf(machine, 'scsi0') }) : []),
    ...(has('usb') ? device({ driver: 'qemu-xhci', id: 'usb0', bus: portOf(machine, 'usb0') }) : []),
    ...machine.disks.flatMap(disk => [
      ...['-blockdev', JSON.stringify(blockdev(disk))],
      ...device(diskDevice(machine, disk, () => sataPort++)),
    ]),
    ...(machine.config_drive ? configDrive(machine) : []),
  ]
}

/** The whole chain is spelt out, formats and end included: nothing is probed, and no header decides what is opened. */
export function blockdev(disk: DiskFile): Record<string, unknown> {
  const base = disk.base
  return {
    driver: 'qcow2',
    'node-name': diskNode(disk.id),
    ...(disk.cdrom && { 'read-only': true }),
    discard: 'unmap',
    file: { driver: 'file', filename: disk.file, discard: 'unmap' },
    ...(disk.encrypted && { encrypt: { format: 'luks', 'key-secret': keyName } }),
    backing: base
      ? {
          driver: base.format,
          'read-only': true,
          file: { driver: 'file', filename: base.file, 'read-only': true },
          ...(base.format === 'qcow2' ? { backing: null } : {}),
        }
      : null,
  }
}

function diskDevice(machine: Machine, disk: DiskFile, nextSata: () => number): Options {
  const shared: Options = {
    id: `${diskNode(disk.id)}-device`,
    drive: diskNode(disk.id),
    serial: disk.id.slice(0, 20),
    // A kernel of its own boots first by itself, under the same number.
    ...(disk.boot_index >= 0 && !machine.direct_boot ? { bootindex: disk.boot_index } : {}),
  }
  const kind = disk.cdrom ? 'cd' : 'hd'
  if (disk.bus === 'scsi') return { driver: `scsi-${kind}`, bus: 'scsi0.0', ...shared }
  if (disk.bus === 'sata') return { driver: `ide-${kind}`, bus: `ide.${nextSata()}`, ...shared }
  if (disk.bus === 'usb') return { driver: 'usb-storage', bus: 'usb0.0', ...shared }
  return { driver: 'virtio-blk-pci', bus: portOf(machine, diskNode(disk.id)), ...shared }
}

function configDrive(machine: Machine): string[] {
  const node = { driver: 'raw', 'node-name': 'config-drive-file', 'read-only': true }
  const file = { driver: 'file', filename: 'config-drive', 'read-only': true }
  const bus = portOf(machine, 'config-drive')
  return [
    ...['-blockdev', JSON.stringify({ ...node, file })],
    ...device({
      driver: 'virtio-blk-pci',
      id: 'config-drive',
      drive: 'config-drive-file',
      bus,
      serial: 'config-2',
      'write-cache': 'on',
    }),
  ]
}

function agentChannel(machine: Machine): string[] {
  return [
    ...device({ driver: 'virtio-serial-pci', id: 'agent0', bus: portOf(machine, 'agent0') }),
    ...['-chardev', 'socket,id=agent-channel,path=run/agent,server=on,wait=off'],
    ...device({ driver: 'virtserialport', bus: 'agent0.0', chardev: 'agent-channel', name: 'org.qemu.guest_agent.0' }),
  ]
}

function nicArguments(machine: Machine, nic: NicSpec): string[] {
  const port = machine.ports[nicDevice(nic.port_id)] ?? 0
  const { type, ...options } = netdevOptions(nic, port)
  return ['-netdev', `${type},${keyval(options)}`, ...device(nicOptions(nic, machine.vif_model, port))]
}

function hostDevice(machine: Machine, address: string): string[] {
  const id = passedDevice(address)
  return device({ driver: 'vfio-pci', id, host: address, bus: portOf(machine, id) })
}

function directBoot(boot: DirectBoot | undefined): string[] {
  if (!boot) return []
  return ['-kernel', boot.kernel, ...(boot.ramdisk ? ['-initrd', boot.ramdisk] : []), '-append', boot.command_line]
}

/** cloud-init knows an OpenStack guest by these words. */
function smbios(id: string): string {
  const product = { manufacturer: 'Nephos', product: 'OpenStack Nova', family: 'Virtual Machine' }
  return keyval({ type: 1, ...product, serial: id, uuid: id })
}

function device(options: Options): string[] {
  const { driver, ...rest } = options
  return ['-device', `${driver},${keyval(rest)}`]
}

/** `a=1,b=2` in QEMU's syntax, where a comma in a value is doubled. */
function keyval(options: Options): string {
  return Object.entries(options)
    .map(([key, value]) => `${key}=${String(value).replaceAll(',', ',,')}`)
    .join(',')
}

const printable = (name: string) => name.replace(/[^\w .-]/g, '_').slice(0, 64)
