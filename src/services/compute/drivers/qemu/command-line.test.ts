/** The command line of QEMU. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { assignPorts, commandLine, freePort, type Machine, nicOptions } from './command-line.ts'
import { lockedBytes } from './machine-layout.ts'

const portId = '6f70656e-0000-4000-8000-000000000001'

function machine(overrides: Partial<Machine> = {}): Machine {
  const bare = {
    spec: {
      id: '11111111-2222-4333-8444-555555555555',
      name: 'web',
      vcpus: 2,
      memory_mb: 512,
      disks: [],
      nics: [{ port_id: portId, mac: 'fa:16:3e:00:00:01', mtu: 1450, tap: { name: 'tap6f70656e', netns: 'plane' } }],
      extra_specs: {},
    },
    accel: 'tcg' as const,
    disks: [
      {
        id: 'root',
        file: 'disk-root.qcow2',
        bytes: 1024 ** 3,
        base: { file: '../../images/a', format: 'qcow2' as const },
        boot_index: 0,
        bus: 'virtio' as const,
      },
    ],
    config_drive: false,
    vif_model: 'virtio',
    ...overrides,
  }
  return { ...bare, ...assignPorts(bare), ...overrides }
}

/** The value after each `option`. */
function values(args: string[], option: string): string[] {
  return args.flatMap((arg, index) => (arg === option ? [args[index + 1] ?? ''] : []))
}

const argv = (overrides?: Partial<Machine>) => commandLine(machine(overrides), { incoming: false })

test('a guest is a q35 machine with the CPUs and memory of its flavor, and starts stopped', () => {
  const args = argv()
  assert.deepEqual(values(args, '-smp'), ['cpus=2,sockets=2,cores=1,threads=1'])
  assert.deepEqual(values(args, '-m'), ['512M'])
  assert.deepEqual(values(args, '-accel'), ['tcg,thread=multi,tb-size=64'])
  assert.deepEqual(values(args, '-cpu'), ['qemu64'])
  assert.ok(args.includes('-S') && args.includes('-nodefaults') && args.includes('-no-user-config'))
  assert.match(values(args, '-smbios')[0] ?? '', /product=OpenStack Nova,.*uuid=11111111-2222-4333-8444-555555555555/)
  const kvm = argv({ accel: 'kvm' })
  assert.deepEqual([values(kvm, '-accel'), values(kvm, '-cpu')], [['kvm'], ['host']])
})

test('all that QEMU listens on are unix sockets in the directory of the guest', () => {
  const args = argv()
  assert.deepEqual(values(args, '-vnc'), ['unix:run/vnc'])
  for (const chardev of values(args, '-chardev'))
    assert.match(chardev, /^socket,id=\w+,path=run\/\w+,server=on,wait=off/)
  assert.equal(args.filter(arg => /127\.0\.0\.1|0\.0\.0\.0|\bport=|tcp:|telnet/.test(arg)).length, 0)
})

test('a hostile name cannot add options', () => {
  const spec = { ...machine().spec, name: 'x,process=y\n-device z' }
  assert.deepEqual(values(argv({ spec }), '-name'), ['guest=x_process_y_-device z,debug-threads=on'])
})

test('each disk spells out its whole chain, so that no format is probed and no header followed', () => {
  const [disk] = values(argv(), '-blockdev').map(value => JSON.parse(value))
  assert.deepEqual(disk, {
    driver: 'qcow2',
    'node-name': 'disk-root',
    discard: 'unmap',
    file: { driver: 'file', filename: 'disk-root.qcow2', discard: 'unmap' },
    backing: {
      driver: 'qcow2',
      'read-only': true,
      file: { driver: 'file', filename: '../../images/a', 'read-only': true },
      backing: null,
    },
  })
  const blank = machine().disks.map(({ base: _, ...rest }) => rest)
  assert.equal(JSON.parse(values(argv({ disks: blank }), '-blockdev')[0] ?? '').backing, null)
})

test('a CD-ROM drive cannot be written to', () => {
  const disks = machine().disks.map(disk => ({ ...disk, bus: 'sata' as const, cdrom: true as const }))
  const args = argv({ disks })
  assert.equal(JSON.parse(values(args, '-blockdev')[0] ?? '')['read-only'], true)
  assert.ok(values(args, '-device').some(device => device.startsWith('ide-cd,bus=ide.0')))
})

test('a NIC is on its tap, or leads nowhere', () => {
  assert.deepEqual(values(argv(), '-netdev'), [`tap,id=net-${portId},ifname=tap6f70656e,script=no,downscript=no`])
  const spec = { ...machine().spec, nics: machine().spec.nics.map(({ tap: _, ...nic }) => nic) }
  assert.match(values(argv({ spec }), '-netdev')[0] ?? '', /^hubport,id=net-.*,hubid=\d+$/)
  const nic = values(argv(), '-device').find(device => device.startsWith('virtio-net-pci'))
  assert.match(nic ?? '', /mac=fa:16:3e:00:00:01,bus=port\d,romfile=,host_mtu=1450$/)
  assert.equal('host_mtu' in nicOptions(spec.nics[0]!, 'e1000e', 3), false)
})

test('every device has a root port of its own, and eight are left for later', () => {
  const built = machine({ config_drive: true })
  assert.deepEqual(built.ports, { rng0: 0, 'disk-root': 1, 'config-drive': 2, [`nic-${portId}`]: 3 })
  assert.equal(built.port_count, 12)
  assert.equal(freePort(built), 4)
  const full = { ...built, ports: Object.fromEntries(Array.from({ length: 12 }, (_, port) => [`d${port}`, port])) }
  assert.throws(() => freePort(full), /No more devices/)
  const addresses = values(commandLine(built, { incoming: false }), '-device')
    .filter(device => device.startsWith('pcie-root-port'))
    .map(device => /addr=([^,]*)/.exec(device)?.[1])
  assert.equal(new Set(addresses).size, 12)
})

test('a kernel of its own boots instead of the disk', () => {
  const args = argv({
    direct_boot: { kernel: '../../images/k', ramdisk: '../../images/r', command_line: 'root=/dev/vda quiet' },
  })
  assert.deepEqual([values(args, '-kernel'), values(args, '-initrd')], [['../../images/k'], ['../../images/r']])
  assert.deepEqual(values(args, '-append'), ['root=/dev/vda quiet'])
  assert.equal(args.filter(arg => arg.includes('bootindex')).length, 0)
})

test('a guest that wakes up reads its memory from standard input', () => {
  assert.deepEqual(values(commandLine(machine(), { incoming: true }), '-incoming'), ['fd:0'])
})

test('cells have their vCPUs and their memory, of large pages where they were asked for', () => {
  const cell = (id: number, vcpus: number[], page_kb?: number) => ({
    ...{ id, vcpus, memory_mb: 256, host_cell: 1 - id, pins: {}, shared_cpus: [] },
    ...(page_kb !== undefined && { page_kb }),
  })
  const { spec } = machine()
  const cpu_topology = { sockets: 1, cores: 2, threads: 2 }
  const layout = { vcpus: 4, cpu_topology, cells: [cell(0, [0, 1, 3], 2048), cell(1, [2])], locked_memory: true }
  const args = argv({ spec: { ...spec, ...layout } })
  assert.deepEqual(values(args, '-smp'), ['cpus=4,sockets=1,cores=2,threads=2'])
  assert.deepEqual(values(args, '-numa'), [
    'node,nodeid=0,cpus=0-1,cpus=3,memdev=ram-node0',
    'node,nodeid=1,cpus=2,memdev=ram-node1',
  ])
  assert.deepEqual(
    values(args, '-object').filter(object => object.startsWith('memory')),
    [
      'memory-backend-memfd,id=ram-node0,hugetlb=on,hugetlbsize=2048k,prealloc=on,size=256M,host-nodes=1,policy=bind',
      'memory-backend-ram,id=ram-node1,size=256M,host-nodes=0,policy=bind',
    ],
  )
  assert.deepEqual(values(args, '-overcommit'), ['mem-lock=on'])
  assert.equal(lockedBytes({ memory_mb: 512, devices: ['0000:81:00.0'] }), (512 + 4096) * 1024 * 1024)
  assert.equal(lockedBytes({ memory_mb: 512 }), undefined)
})

test('devices of the host sit in root ports of their own', () => {
  const { spec } = machine()
  const given = machine({ spec: { ...spec, devices: ['0000:81:00.0', '0000:82:00.1'] } })
  const passed = values(commandLine(given, { incoming: false }), '-device').filter(each => each.startsWith('vfio-pci'))
  assert.deepEqual(passed, [
    `vfio-pci,id=pci-0000-81-00-0,host=0000:81:00.0,bus=port${given.ports['pci-0000-81-00-0']}`,
    `vfio-pci,id=pci-0000-82-00-1,host=0000:82:00.1,bus=port${given.ports['pci-0000-82-00-1']}`,
  ])
  assert.equal(new Set(Object.values(given.ports)).size, Object.keys(given.ports).length)
})
