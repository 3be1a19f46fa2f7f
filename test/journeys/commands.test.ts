/** The commands around a cloud: start, refuse, stop, ask. Simulated, so that it is quick; in a network namespace of its own. */
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { test } from 'node:test'
import { parse } from 'yaml'
import { createStage, missingForClient, missingForReal, type Ran } from './stage.ts'

const launcher = resolve(import.meta.dirname, '../../nephos')
const skip = missingForClient()

function nephos(args: string[]): Promise<Ran> {
  return new Promise(done => {
    execFile(launcher, args, { timeout: 60_000 }, (error, out, err) =>
      done({ code: error ? Number(error.code ?? 1) : 0, out, err }),
    )
  })
}

test('help is short, and says what to type first', async () => {
  const { code, out } = await nephos(['--help'])
  assert.equal(code, 0)
  assert.ok(out.split('\n').length < 45)
  assert.match(out, /nephos up/)
})

test('a word that makes no sense is one line and exit code 2', async () => {
  const { code, err } = await nephos(['up', '--prot', '1'])
  assert.equal(code, 2)
  assert.equal(err.trim().split('\n').length, 1)
  assert.match(err, /--prot/)
})

test('a simulated cloud starts, refuses a second one, tells its status, and stops cleanly', { skip }, async t => {
  await using stage = await createStage({ flags: ['--simulated', '--hosts', '3'] })

  await t.test('clouds.yaml is for its owner only and works', async () => {
    const file = join(stage.data, 'clouds.yaml')
    assert.equal(statSync(file).mode & 0o777, 0o600)
    const { clouds } = parse(readFileSync(file, 'utf8')) as {
      clouds: Record<string, { auth: { project_name?: string } }>
    }
    assert.equal(clouds.nephos?.auth.project_name, 'demo')
    assert.equal(clouds['nephos-admin']?.auth.project_name, 'admin')
    assert.match(await stage.os(['token', 'issue']), /expires/)
    assert.match(await stage.os(['project', 'list'], { as: 'nephos-admin' }), /demo/)
  })

  await t.test('a second up on the same data says so and exits 1', async () => {
    const second = await stage.run(launcher, ['up', '--data', stage.data, '--simulated', '--port', '8775'])
    assert.equal(second.code, 1)
    assert.match(second.err, /another nephos runs on/)
  })

  await t.test('a busy port says so and exits 1', async () => {
    const other = await stage.run(launcher, ['up', '--data', join(stage.dir, 'other'), '--simulated'])
    assert.equal(other.code, 1)
    assert.match(other.err, /port 8774 .* is in use/)
  })

  await t.test('status and healthcheck', async () => {
    const { code, out } = await stage.run(launcher, ['status', '--data', stage.data])
    assert.equal(code, 0)
    assert.match(out, /simulated cloud runs at http:\/\/127\.0\.0\.1:8774/)
    assert.match(
      (await stage.run('curl', ['-s', '-o', '/dev/null', '-w', '%{http_code}', 'http://127.0.0.1:8774/healthcheck']))
        .out,
      /200/,
    )
  })

  await t.test('a server on a simulated host', async () => {
    const server = await stage.json<{ status: string }>([
      'server',
      'create',
      '--image',
      'tiny',
      '--flavor',
      'm1.nano',
      '--network',
      'private',
      '--wait',
      'one',
    ])
    assert.equal(server.status, 'ACTIVE')
  })

  await t.test('SIGTERM ends it with 0, and the next up has everything', async () => {
    assert.equal(await stage.stop(), 0)
    assert.equal((await stage.run(launcher, ['status', '--data', stage.data])).code, 1)
    assert.equal((await stage.run(launcher, ['db', 'check', '--data', stage.data])).code, 0)
    await stage.up(['--simulated', '--hosts', '3'])
    const servers = await stage.json<{ Name: string; Status: string }[]>(['server', 'list'])
    assert.deepEqual(
      servers.map(s => s.Name),
      ['one'],
    )
  })
})

test('a setting that does not exist is refused at start, with the file and line', { skip }, async () => {
  await using stage = await createStage({ cold: true })
  await stage.run('mkdir', ['-p', stage.data])
  writeFileSync(join(stage.data, 'nephos.yaml'), 'identity:\n  tokn_expiry: 5\n')
  const { code, err } = await stage.run(launcher, ['up', '--data', stage.data, '--simulated'])
  assert.equal(code, 1)
  assert.match(err, /nephos\.yaml:2.*tokn_expiry/s)
})

test('an ephemeral cloud takes its guests and files with it', { skip: missingForReal() }, async () => {
  await using stage = await createStage({ flags: ['--virt', 'qemu', '--network', 'linux', '--ephemeral'] })
  const create = ['server', 'create', '--image', 'tiny', '--flavor', 'm1.nano', '--network', 'private', '--wait', 'one']
  assert.equal((await stage.json<{ status: string }>(create)).status, 'ACTIVE')
  assert.equal(stage.guests().length, 1)
  assert.equal(await stage.stop(), 0)
  assert.deepEqual(stage.guests(), [])
  assert.deepEqual(await stage.namespaces(), [])
  assert.deepEqual(readdirSync(stage.data), [])
})
