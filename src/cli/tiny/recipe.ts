/** What the tiny guest is made of. */

/** Debian's names for the machine: of packages, and of library folders. */
export const architecture = { libraries: 'x86_64-linux-gnu', loader: 'ld-linux-x86-64.so.2' }

/** The package that depends on the current kernel, and how the kernel packages' names begin. */
export const kernelPackage = { name: 'linux-image-cloud-amd64', prefix: 'linux-image-' }

/** Packages whose programs and libraries go into the guest. */
export const guestPackages = [
  'busybox', // every ordinary command, init, DHCP, the login prompt
  'dropbear-bin', // ssh
  'e2fsprogs', // resize2fs in the guest; mke2fs and debugfs here
  'libc6',
  'libblkid1',
  'libcom-err2',
  'libcrypt1',
  'libext2fs2',
  'libglib2.0-0',
  'libgmp10',
  'libnuma1',
  'libpcre2-8-0',
  'libtomcrypt1',
  'libtommath1',
  'libudev1',
  'liburing2',
  'libuuid1',
  'qemu-guest-agent', // the cloud's hand in the guest: passwords, freezing for snapshots, figures
  'util-linux', // resizepart
  'zlib1g',
]

/** Packages whose programs make the disk: a FAT partition with a boot loader, made without mounting anything. */
export const toolPackages = ['dosfstools', 'liblz4-1', 'lz4', 'mtools', 'syslinux', 'syslinux-common']

/** Programs of the guest besides busybox. */
export const guestPrograms = [
  ...['usr/sbin/dropbear', 'usr/bin/dropbearkey', 'usr/bin/dbclient', 'usr/sbin/qemu-ga'],
  ...['sbin/resize2fs', 'usr/bin/resizepart'],
]

/** Programs of the initramfs besides busybox. */
export const bootPrograms = ['sbin/resize2fs', 'usr/bin/resizepart']

/** Kernel modules by when they load. Names that the kernel has built in are skipped. */
export const modules = {
  early: ['virtio_pci', 'virtio_mmio', 'virtio_blk', 'virtio_scsi', 'sd_mod', 'ext4'],
  base: [
    ...['virtio_net', 'virtio_rng', 'virtio_balloon', 'virtio_console', 'qemu_fw_cfg'],
    ...['button', 'evdev', 'sr_mod', '8021q'],
  ],
  'config-drive': ['sr_mod', 'isofs', 'vfat', 'nls_cp437', 'nls_ascii', 'nls_iso8859-1', 'nls_utf8'],
}

/**
 * Kernel arguments. The last console is /dev/console. The other words matter under emulation: without them the kernel
 * spends seconds on calibrating timers that it then distrusts.
 */
export const kernelArguments = 'console=tty0 console=ttyS0,115200 quiet tsc=unstable no_timer_check nokaslr'

/** Sizes in MiB: the FAT partition, and the root file system, which grows to the flavor's disk at boot. */
export const sizes = { boot: 24, root: 48 }
