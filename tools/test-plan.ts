/** What `npm test` runs: cheap and telling parts first, those that wait beside those that compute. */

/** A Debian package, and what shows that it is there: a program on the PATH, or a file where it brings none. */
export type Need = { package: string } & ({ program: string } | { file: string })

/** A package that brings no program of its own. */
const plain = (name: string): Need => ({ package: name, file: `/usr/share/doc/${name}/copyright` })

export interface Part {
  name: string
  what: string
  /** Which test files belong to it: the first part that a file fits is the file's. */
  files: RegExp
  /** Only those of its files that say this; other parts may run them as well. */
  mentions?: RegExp
  /** Without these it is skipped; root on Debian installs them. */
  needs?: Need[]
  root?: boolean
  /** Boots the tiny Linux guest, which is built before. */
  guest?: boolean
  server?: 'postgres'
  /** Its files are waiting for guests and clients half of their time. */
  waits?: boolean
  /** Its files share processes: nothing of one is seen by another. */
  together?: boolean
  /** The part is stopped, and has failed, after this. */
  minutes: number
}

const qemu: Need[] = [
  { program: 'qemu-system-x86_64', package: 'qemu-system-x86' },
  { program: 'qemu-img', package: 'qemu-utils' },
  { program: 'genisoimage', package: 'genisoimage' },
]

const packets: Need[] = [
  { program: 'ip', package: 'iproute2' },
  { program: 'nft', package: 'nftables' },
  { program: 'dnsmasq', package: 'dnsmasq-base' },
  { program: 'conntrack', package: 'conntrack' },
  { program: 'ping', package: 'iputils-ping' },
  { program: 'arping', package: 'iputils-arping' },
]

const openstack: Need = { program: 'openstack', package: 'python3-openstackclient' }
const ssh: Need = { program: 'ssh', package: 'openssh-client' }
const chromium: Need = { program: 'chromium', package: 'chromium' }

const openssl: Need = { program: 'openssl', package: 'openssl' }

const debianBuild: Need[] = [
  { program: 'mmdebstrap', package: 'mmdebstrap' },
  { program: 'grub-mkimage', package: 'grub-common' },
  plain('grub-pc-bin'),
  { program: 'mke2fs', package: 'e2fsprogs' },
  { program: 'parted', package: 'parted' },
]

const real = /\.real\.test\.ts$/

/** Stories that make a whole cloud for every step or operation. */
const clouds = /^test\/(attacks|generic)\/|\/crash[^/]*\.test\.ts$|^src\/simulated\/|^test\/package\.test\.ts$/

export const parts: Part[] = [
  {
    name: 'packets',
    what: 'the Linux data plane with real packets, in namespaces',
    files: /^src\/services\/network\/(drivers\/linux\/|hosts\/packets\.test)/,
    needs: packets,
    root: true,
    waits: true,
    minutes: 10,
  },
  {
    name: 'guests',
    what: 'the QEMU driver with real guests',
    files: /^src\/services\/compute\/drivers\/qemu\//,
    needs: [...qemu, ...packets],
    guest: true,
    waits: true,
    minutes: 10,
  },
  {
    name: 'simulation',
    what: 'the whole cloud on virtual time, with faults',
    files: /^test\/simulation\//,
    minutes: 10,
  },
  {
    name: 'conformance',
    what: 'clients and suites that we did not write, against a simulated cloud',
    files: /^test\/conformance\//,
    needs: [openstack, plain('python3-osc-placement')],
    waits: true,
    minutes: 20,
  },
  {
    name: 'journeys',
    what: 'a cloud started as a user starts it, with the real client and real guests',
    files: /^test\/journeys\//,
    needs: [openstack, ssh, chromium, openssl, ...qemu, ...packets],
    root: true,
    guest: true,
    waits: true,
    minutes: 25,
  },
  {
    name: 'chaos',
    what: 'a real cloud, killed while clients work',
    files: /^test\/chaos\//,
    needs: [openstack],
    root: true,
    waits: true,
    minutes: 10,
  },
  {
    name: 'nightly',
    what: 'a cloud image that is not ours; only when asked for',
    files: /^test\/nightly\//,
    needs: [...debianBuild, openstack, ssh, ...qemu, ...packets],
    root: true,
    guest: true,
    waits: true,
    minutes: 40,
  },
  {
    name: 'directories',
    what: 'users and codes in real servers of others: OpenLDAP, Active Directory of Samba, RADIUS, SAML of pysaml2',
    files: /^src\/services\/identity\/.*\.real\.test\.ts$/,
    needs: [
      { program: 'slapd', package: 'slapd' },
      { program: 'freeradius', package: 'freeradius' },
      { program: 'samba', package: 'samba' },
      plain('samba-ad-provision'),
      plain('samba-dsdb-modules'),
      plain('samba-vfs-modules'),
      { program: 'xmlsec1', package: 'xmlsec1' },
      openssl,
    ],
    root: true,
    waits: true,
    minutes: 10,
  },
  { name: 'real', what: 'other tests that need the real thing', files: real, root: true, waits: true, minutes: 10 },
  { name: 'bench', what: 'benchmarks still run (their numbers are not judged)', files: /^test\/bench\//, minutes: 5 },
  {
    name: 'clouds',
    what: 'whole clouds: every operation called, killed at every step, attacked',
    files: clouds,
    minutes: 15,
  },
  {
    name: 'unit',
    what: 'everything else that needs nothing',
    files: /\.test\.ts$/,
    together: true,
    minutes: 15,
  },
  {
    name: 'postgres',
    what: 'stories of stores and whole clouds again, on a real PostgreSQL',
    files: /\.test\.ts$/,
    mentions: /\/engines\.ts'/,
    needs: [{ program: 'initdb', package: 'postgresql' }],
    server: 'postgres',
    together: true,
    minutes: 15,
  },
]

/** The order in which parts run; `check` is tools/check.sh. */
export const order = [
  ...['check', 'unit', 'clouds', 'postgres', 'packets', 'guests'],
  ...['simulation', 'conformance', 'journeys', 'chaos', 'directories', 'real', 'bench', 'nightly'],
]

const quick = ['check', 'unit']

/** Too long for every change. */
const onDemand = ['nightly']

/** The parts that `NEPHOS_TEST_PARTS` asks for, in their order; by default all but those on demand. Throws for a name that is none. */
export function chosenParts(setting: string | undefined): string[] {
  if (!setting || setting === 'all') return order.filter(name => !onDemand.includes(name))
  const names = setting.split(',').flatMap(name => (name.trim() === 'quick' ? quick : [name.trim()]))
  const unknown = names.find(name => !order.includes(name))
  if (unknown !== undefined) {
    throw new Error(`NEPHOS_TEST_PARTS: there is no part '${unknown}': all, quick, or some of ${order.join(',')}`)
  }
  return order.filter(name => names.includes(name))
}

/** Files of each part, from the paths and texts of all files. A part that only goes over others' files again leaves them theirs. */
export function filesOf(name: string, files: Map<string, string>): string[] {
  const part = parts.find(one => one.name === name)
  if (!part) return []
  const owner = (path: string) => parts.find(one => !one.mentions && one.files.test(path))
  const needsNothing = (path: string) => ['clouds', 'unit'].includes(owner(path)?.name ?? '')
  return [...files]
    .filter(([path]) => path.endsWith('.test.ts'))
    .filter(([path, text]) => (part.mentions ? needsNothing(path) && part.mentions.test(text) : owner(path) === part))
    .map(([path]) => path)
}
