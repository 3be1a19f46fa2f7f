/** `conformance sdk`: openstacksdk's own functional tests, against a simulated cloud. */
import { cpSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { parse, stringify } from 'yaml'
import { type Admin, addImage, logIn, startCloud } from '../cloud.ts'
import { keepTraces, tellVerdict } from '../outcome.ts'
import { installSuite, type Suite } from '../python.ts'
import { writeReport } from '../report.ts'
import { keep, keptOf, noteSeen } from '../results.ts'
import { runSuite, type Workspace, workspaceIn } from '../stestr.ts'

export interface SdkOptions {
  /** Patterns of tests; all when empty. */
  patterns: string[]
  workers: number
  minutes: number
  keep?: string | undefined
  write: boolean
  say(line: string): void
}

const packages = {
  requirements: join(import.meta.dirname, 'requirements.txt'),
  module: 'openstack',
  debianPackages: ['python3-openstacksdk', 'python3-stestr', 'python3-testscenarios', 'python3-oslotest'],
}

/** Tests of the services that are here, and of the layer above them. */
const here = ['cloud', 'compute', 'identity', 'image', 'network', 'placement'].map(name => `^functional\\.${name}\\.`)

export const installSdk = (say: (line: string) => void) => installSuite(packages, say)

export async function sdkMode(suite: Suite, options: SdkOptions): Promise<boolean> {
  const { say } = options
  await using cloud = await startCloud({ flags: ['--simulated', '--hosts', '3'] })
  const admin = await logIn(cloud)
  await addImage(admin, 'second')
  const workspace = await makeWorkspace(join(cloud.dir, 'sdk'), suite, await cloudsFor(admin, cloud.cloudsFile))
  const before = await cloud.answered()
  const results = await runSuite(workspace, {
    ...options,
    patterns: options.patterns.length > 0 ? options.patterns : here,
    heard: ({ test, outcome, seconds }) => say(`${outcome.padEnd(8)} ${seconds.toFixed(1).padStart(6)} s  ${test}`),
  })
  if (options.keep) keepTraces(options.keep, workspace.folder, [], results, cloud.log())
  if (options.write && options.patterns.length === 0) {
    keep('sdk', keptOf(suite.version, results))
    noteSeen('sdk', before, await cloud.answered())
    writeReport()
  }
  return tellVerdict(results, say)
}

async function makeWorkspace(folder: string, suite: Suite, clouds: unknown): Promise<Workspace> {
  mkdirSync(folder, { recursive: true })
  writeFileSync(join(folder, 'clouds.yaml'), stringify({ clouds }), { mode: 0o600 })
  // The bytes of an image.
  writeFileSync(join(folder, 'CONTRIBUTING.rst'), 'bytes\n')
  // Those of the examples need files that the package does not have, and without them no test is found.
  const tests = join(folder, 'functional')
  const wanted = (path: string) => !path.includes('functional/examples')
  cpSync(join(suite.home, 'tests/functional'), tests, { recursive: true, filter: wanted })
  return workspaceIn(folder, suite, {
    tests,
    top: folder,
    prefix: 'functional.',
    env: { OS_CLIENT_CONFIG_FILE: join(folder, 'clouds.yaml'), OPENSTACKSDK_IMAGE: 'second', OS_TEST_TIMEOUT: '60' },
  })
}

/** The entries of clouds.yaml that the tests ask for by name. */
async function cloudsFor(admin: Admin, cloudsFile: string) {
  const { clouds } = parse(readFileSync(cloudsFile, 'utf8')) as { clouds: Record<string, { auth: object }> }
  const user = clouds.nephos!
  await addAccount(admin, 'alt_demo', 'a-password')
  const alt = { username: 'alt_demo', password: 'a-password', project_name: 'alt_demo' }
  return {
    devstack: user,
    'devstack-alt': { ...user, auth: { ...user.auth, ...alt } },
    'devstack-admin': clouds['nephos-admin'],
    'devstack-system-admin': clouds['nephos-system'],
  }
}

async function addAccount(admin: Admin, name: string, password: string): Promise<void> {
  const { project } = await admin.post<{ project: { id: string } }>('identity', '/projects', { project: { name } })
  const { user } = await admin.post<{ user: { id: string } }>('identity', '/users', { user: { name, password } })
  const { roles } = await admin.get<{ roles: { id: string }[] }>('identity', '/roles?name=member')
  const grant = `/projects/${project.id}/users/${user.id}/roles/${roles[0]!.id}`
  await admin.request('identity', grant, { method: 'PUT' })
}
