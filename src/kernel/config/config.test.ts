import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { inspect } from 'node:util'
import { Type } from '../schema/builders.ts'
import { ConfigError, loadConfig } from './load.ts'
import { configReference, sampleConfig } from './sample.ts'
import { secret, section } from './section.ts'

const compute = section(
  'compute',
  Type.Object(
    {
      cpu_ratio: Type.Number({ default: 4, minimum: 1, description: 'Virtual CPUs sold for each real one.' }),
      driver: Type.Union([Type.Literal('qemu'), Type.Literal('fake')], { default: 'qemu' }),
      filters: Type.Array(Type.String(), { default: ['cpu', 'ram'] }),
      console: Type.Object({
        port: Type.Integer({ default: 6080, maximum: 65535, description: 'Where consoles are served.' }),
        tls: Type.Boolean({ default: false }),
      }),
      networks: Type.Record(Type.String(), Type.Integer(), { default: {} }),
    },
    { description: 'Servers and their hosts.' },
  ),
)
const identity = section(
  'identity',
  Type.Object({
    admin_password: secret({ description: 'Of the first user.', default: 'start' }),
    region: Type.Optional(Type.String()),
  }),
)
const sections = [compute, identity]

const folder = mkdtempSync(join(tmpdir(), 'nephos-config-'))
after(() => rmSync(folder, { recursive: true }))
let count = 0
function file(text: string): string {
  const path = join(folder, `${count++}.yaml`)
  writeFileSync(path, text)
  return path
}
function problems(load: () => unknown): string[] {
  try {
    load()
  } catch (error) {
    if (error instanceof ConfigError) return error.problems.map(problem => problem.replace(/^.*\/\d+\.yaml/, 'file'))
    throw error
  }
  return []
}

test('without any source there are the defaults', () => {
  assert.deepEqual(loadConfig(sections).of(compute), {
    cpu_ratio: 4,
    driver: 'qemu',
    filters: ['cpu', 'ram'],
    console: { port: 6080, tls: false },
    networks: {},
  })
})

test('the last source wins: file, later file, environment, override', () => {
  const files = [
    file('compute:\n  cpu_ratio: 2\n  driver: fake\n  console: { port: 1, tls: true }\n  networks: { a: 1 }\n'),
    file('compute:\n  cpu_ratio: 3\n  console:\n    port: 2\nidentity:\n'),
  ]
  const env = { NEPHOS_COMPUTE__CONSOLE__PORT: '7', NEPHOS_COMPUTE__FILTERS: 'x, y', NEPHOS_HOME: '/x', PATH: '/bin' }
  const config = loadConfig(sections, { files, env, overrides: ['compute.cpu_ratio=1.5', 'identity.region=2'] })
  assert.deepEqual(config.of(compute), {
    cpu_ratio: 1.5,
    driver: 'fake',
    filters: ['x', 'y'],
    console: { port: 7, tls: true },
    networks: { a: 1 },
  })
  const region: string | undefined = config.of(identity).region
  assert.equal(region, '2')
})

test('every problem is told with where it comes from', () => {
  const files = [file('compute:\n  cpu_ration: 2\n  console:\n    port: many\n  driver: xen\ncomptue: {}\n')]
  const env = { NEPHOS_COMPUTE__CPU_RATIO: '0', NEPHOS_IDENTTY__REGION: 'a' }
  assert.deepEqual(problems(() => loadConfig(sections, { files, env, overrides: ['compute.console.prt=1'] })).sort(), [
    'NEPHOS_COMPUTE__CPU_RATIO: compute.cpu_ratio must be >= 1',
    'NEPHOS_IDENTTY__REGION: identty is not a known section. Did you mean "identity"?',
    'file:2: compute.cpu_ration is not a known setting. Did you mean "cpu_ratio"?',
    'file:4: compute.console.port must be integer',
    'file:5: compute.driver must be one of: qemu, fake',
    'file:6: comptue is not a known section. Did you mean "compute"?',
    'override compute.console.prt: compute.console.prt is not a known setting. Did you mean "port"?',
  ])
})

test('what cannot be read says so', () => {
  assert.match(problems(() => loadConfig(sections, { files: [join(folder, 'none.yaml')] }))[0]!, /cannot be read/)
  assert.match(problems(() => loadConfig(sections, { files: [file('a: [')] }))[0]!, /^file: .* line 1/)
  assert.match(problems(() => loadConfig(sections, { files: [file('- a')] }))[0]!, /expected sections/)
  assert.match(problems(() => loadConfig(sections, { overrides: ['cpu_ratio=1'] }))[0]!, /section\.key=value/)
  const env = { NEPHOS_COMPUTE__CPU_RATIO: '{hunter2' }
  assert.match(problems(() => loadConfig(sections, { env }))[0]!, /^NEPHOS_COMPUTE__CPU_RATIO: not readable/)
  assert.doesNotMatch(problems(() => loadConfig(sections, { env }))[0]!, /hunter2/)
})

test('a setting without a default must be set', () => {
  const database = section('database', Type.Object({ url: secret({ description: 'Where it is.' }) }))
  assert.deepEqual(
    problems(() => loadConfig([database])),
    ['database.url must be set'],
  )
})

test('an optional group stays absent until it is written, and then must be whole', () => {
  const tls = Type.Optional(Type.Object({ certificate: Type.String(), port: Type.Integer({ default: 443 }) }))
  const api = section('api', Type.Object({ tls }))
  assert.deepEqual(loadConfig([api]).of(api), {})
  assert.deepEqual(loadConfig([api], { overrides: ['api.tls.certificate=x'] }).of(api), {
    tls: { certificate: 'x', port: 443 },
  })
  assert.deepEqual(
    problems(() => loadConfig([api], { overrides: ['api.tls.port=1'] })),
    ['api.tls.certificate must be set'],
  )
})

test('no key of a file reaches a prototype', () => {
  const files = [file('__proto__:\n  polluted: 1\ncompute:\n  __proto__: { polluted: 2 }\n')]
  assert.equal(problems(() => loadConfig(sections, { files })).length, 2)
  assert.equal(({} as Record<string, unknown>).polluted, undefined)
})

test('secrets are there to be used and never printed; values are frozen', () => {
  const config = loadConfig(sections, { overrides: ['identity.admin_password=hunter2'] })
  const values = config.of(identity)
  assert.equal(values.admin_password, 'hunter2')
  for (const printed of [JSON.stringify(values), inspect({ values }), JSON.stringify(config.printable())]) {
    assert.match(printed, /\*\*\*/)
    assert.doesNotMatch(printed, /hunter2/)
  }
  assert.throws(() => Object.assign(config.of(compute).console, { port: 1 }), TypeError)
})

test('the untouched sample changes nothing; with every comment of a default removed it still loads', () => {
  const sample = sampleConfig(sections)
  assert.deepEqual(loadConfig(sections, { files: [file(sample)] }).of(compute), loadConfig(sections).of(compute))
  assert.match(sample, /# Servers and their hosts\.\ncompute:\n {2}# # Virtual CPUs sold/)
  const used = sample.replace(/^ {2}# (?=[ ]*\w+:)/gm, '  ').replace(/^.*region:$/m, '')
  assert.deepEqual(loadConfig(sections, { files: [file(used)] }).of(compute), loadConfig(sections).of(compute))
  assert.doesNotMatch(sample, /start$/m)
})

test('the reference page has a row for each setting', () => {
  const page = configReference(sections)
  assert.match(page, /\| `console\.port` \| integer, at most 65535 \| `6080` \| Where consoles are served\. \|/)
  assert.match(page, /\| `driver` \| one of qemu, fake \| `qemu` \|/)
  assert.match(page, /\| `networks` \| map to integer \| `\{\}` \|/)
  assert.match(page, /\| `admin_password` \| secret text \|/)
})
