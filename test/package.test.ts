/** The npm package, as its users have it: packed, in their node_modules, with the packages it needs beside it. */
import assert from 'node:assert/strict'
import { execFile, spawn } from 'node:child_process'
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { promisify } from 'node:util'

const run = promisify(execFile)
const root = join(import.meta.dirname, '..')
const project = mkdtempSync(join(tmpdir(), 'nephos-package-'))
const packages = join(project, 'node_modules')
const node = join(root, 'node_modules/.bin/node')

/** Everything that the repository has, but for nephos itself, which comes out of its tarball. */
before(async () => {
  const home = join(packages, 'nephos')
  mkdirSync(home, { recursive: true })
  const options = ['pack', '--ignore-scripts', '--pack-destination', project, '--cache', join(project, 'cache')]
  await run('npm', options, { cwd: root })
  const [tarball] = readdirSync(project).filter(name => name.endsWith('.tgz'))
  await run('tar', ['-xzf', join(project, tarball!), '-C', home, '--strip-components', '1'])
  for (const name of readdirSync(join(root, 'node_modules')))
    if (!['.cache', '.bin'].includes(name)) symlinkSync(join(root, 'node_modules', name), join(packages, name))
  mkdirSync(join(packages, '.bin'))
  symlinkSync(node, join(packages, '.bin/node'))
  symlinkSync('../nephos/nephos', join(packages, '.bin/nephos'))
  writeFileSync(join(project, 'package.json'), JSON.stringify({ type: 'module', private: true }))
})

after(() => rmSync(project, { recursive: true, force: true }))

test('it has the program, and none of its tests', () => {
  const names = readdirSync(join(packages, 'nephos'), { recursive: true }).map(String)
  for (const name of ['nephos', 'LICENSE', 'README.md', 'src/main.ts', 'src/services/compute/contract.ts'])
    assert.ok(names.includes(name), name)
  assert.deepEqual(
    names.filter(name => /\.test\.ts$|\.contract\.ts$|(^|\/)fixtures(\/|$)|^test\//.test(name)),
    [],
  )
})

/** More bytes than are hashed without a thread. */
const script = `import { startCloud } from 'nephos/testing'
await using cloud = await startCloud({ hosts: 2 })
await cloud.clock.freeze()
const { username: name, password, project_name } = cloud.auth.demo
const domain = { name: 'Default' }
const login = await fetch(cloud.auth.demo.auth_url + '/auth/tokens', {
  method: 'POST',
  headers: { 'content-type': 'application/json' },
  body: JSON.stringify({ auth: {
    identity: { methods: ['password'], password: { user: { name, password, domain } } },
    scope: { project: { name: project_name, domain } },
  } }),
})
const headers = { 'x-auth-token': login.headers.get('x-subject-token'), 'content-type': 'application/json' }
const body = JSON.stringify({ name: 'large', disk_format: 'raw', container_format: 'bare' })
const image = await (await fetch(cloud.url + '/image/v2/images', { method: 'POST', headers, body })).json()
const upload = await fetch(cloud.url + '/image/v2/images/' + image.id + '/file', {
  method: 'PUT',
  headers: { ...headers, 'content-type': 'application/octet-stream' },
  body: new Uint8Array(12 * 1024 * 1024),
})
await cloud.reset()
const { calls } = await (await fetch(cloud.url + '/_nephos/calls')).json()
console.log(JSON.stringify({ login: login.status, upload: upload.status, calls }))
`

test('a test of its user imports nephos/testing and has a cloud', async () => {
  writeFileSync(join(project, 'cloud.mjs'), script)
  const { stdout } = await run(node, [join(project, 'cloud.mjs')], { cwd: project })
  assert.deepEqual(JSON.parse(stdout), { login: 201, upload: 204, calls: [] })
})

test('its types are there, for strict users too', async () => {
  const page = readFileSync(join(root, 'docs/howto/extensions.md'), 'utf8')
  const [, sample] = /```ts\n([\s\S]*?)```/.exec(page)!
  const wrong =
    "// @ts-expect-error: a name, a description and a date are missing.\nexport const less: Extension = { alias: 'x' }\n"
  writeFileSync(join(project, 'extension.ts'), sample + wrong)
  writeFileSync(
    join(project, 'typed.ts'),
    `import { type Fault, startCloud, type TestCloud } from 'nephos/testing'
export async function slow(): Promise<Fault> {
  await using cloud: TestCloud = await startCloud({ hosts: 3 })
  return cloud.faults.add({ kind: 'delay', seconds: 30, work: 'compute.servers.create', times: 'every' })
}
// @ts-expect-error: there is no such kind.
export const wrong = (cloud: TestCloud) => cloud.faults.add({ kind: 'flood' })
`,
  )
  const compilerOptions = { strict: true, noEmit: true, module: 'nodenext', target: 'es2022', types: ['node'] }
  const lib = { lib: ['es2022', 'esnext.disposable'] }
  const settings = { compilerOptions: { ...compilerOptions, ...lib }, files: ['typed.ts', 'extension.ts'] }
  writeFileSync(join(project, 'tsconfig.json'), JSON.stringify(settings))
  await run(node, [join(packages, 'typescript/bin/tsc'), '-p', project], { cwd: project }).catch(error => {
    assert.fail(error.stdout)
  })
})

test('npx nephos up --simulated starts a cloud that HTTP steers', async () => {
  const data = join(project, 'data')
  const child = spawn(
    join(packages, '.bin/nephos'),
    ['up', '--simulated', '--ephemeral', '--port', '0', '--data', data],
    {
      stdio: ['ignore', 'pipe', 'inherit'],
      cwd: project,
    },
  )
  const ended = new Promise(done => child.once('exit', done))
  try {
    const url = await new Promise<string>((done, fail) => {
      let text = ''
      child.stdout.on('data', chunk => {
        text += chunk
        const ready = /^ready (http\S+)/m.exec(text)
        if (ready) done(ready[1]!)
      })
      child.once('exit', code => fail(new Error(`nephos ended with ${code}`)))
    })
    const frozen = await fetch(`${url}/_nephos/clock/freeze`, { method: 'POST' })
    assert.equal(frozen.status, 200)
    assert.match(readFileSync(join(data, 'clouds.yaml'), 'utf8'), new RegExp(url))
  } finally {
    child.kill('SIGTERM')
  }
  assert.equal(await ended, 0)
})
