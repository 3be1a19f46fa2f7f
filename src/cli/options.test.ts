/** What people type, and what it means. */
import assert from 'node:assert/strict'
import { resolve } from 'node:path'
import { test } from 'node:test'
import { parseCommand, UsageError } from './options.ts'

function refused(line: string): string {
  try {
    parseCommand(line.split(' '))
  } catch (error) {
    assert.ok(error instanceof UsageError, `${line}: ${error}`)
    return error.message
  }
  return assert.fail(`${line} was accepted`)
}

test('`up` alone is a cloud on loopback with its data in the current directory', () => {
  assert.deepEqual(parseCommand(['up']), {
    name: 'up',
    options: {
      data: resolve('nephos-data'),
      host: '127.0.0.1',
      port: 8774,
      virt: 'auto',
      network: 'auto',
      simulated: false,
      hosts: 1,
      projects: 0,
      servers: 0,
      snapshot: undefined,
      ephemeral: false,
      workers: 0,
      install: true,
    },
  })
})

test('`up` takes every flag of its manual', () => {
  const line = 'up --data /x --host 0.0.0.0 --port 0 --simulated --hosts 12 --ephemeral --workers 3 --no-install'
  const filled = '--projects 20 --servers 500 --snapshot /s'
  assert.deepEqual(parseCommand(`${line} ${filled}`.split(' ')), {
    name: 'up',
    options: {
      data: '/x',
      host: '0.0.0.0',
      port: 0,
      virt: 'fake',
      network: 'fake',
      simulated: true,
      hosts: 12,
      projects: 20,
      servers: 500,
      snapshot: '/s',
      ephemeral: true,
      workers: 3,
      install: false,
    },
  })
})

test('two-word commands, help and version', () => {
  assert.equal(parseCommand(['db', 'check', '--data', '/d']).name, 'db check')
  assert.deepEqual(parseCommand(['image', 'build', '--out', '/o']), { name: 'image build', options: { out: '/o' } })
  assert.equal(parseCommand([]).name, 'help')
  assert.equal(parseCommand(['up', '--help']).name, 'help')
  assert.equal(parseCommand(['--version']).name, 'version')
})

test('a mistake is named in one line', () => {
  assert.equal(refused('up --prot 1'), "up: unknown option '--prot'")
  assert.equal(refused('up --port 70000'), "--port is a whole number from 0 to 65535: not '70000'")
  assert.equal(refused('up --port 1e3'), "--port is a whole number from 0 to 65535: not '1e3'")
  assert.equal(refused('up --virt kvm'), "--virt is auto, qemu, fake: not 'kvm'")
  assert.equal(refused('up --hosts 3'), '--hosts goes with --simulated only')
  assert.equal(refused('up --servers 3'), '--servers goes with --simulated only')
  assert.equal(refused('up --simulated --virt qemu'), '--simulated means fake drivers: drop it, or drop --virt qemu')
  assert.equal(refused('up here'), "up: unexpected argument 'here'")
  assert.equal(refused('db'), 'db: say migrate or check')
  assert.equal(refused('image list'), "image: say build or replicate, not 'list'")
  assert.equal(refused('launch'), "unknown command 'launch'")
  assert.equal(refused('constructor'), "unknown command 'constructor'")
})

test('clashes of metadata are listed, and repaired with --fix; addresses are those of one host', () => {
  const data = resolve('nephos-data')
  assert.deepEqual(parseCommand(['metadata', 'clashes']), { name: 'metadata clashes', options: { data, fix: false } })
  assert.deepEqual(parseCommand(['metadata', 'clashes', '--fix']).options, { data, fix: true })
  assert.deepEqual(parseCommand(['fixed', 'list', 'h1']), { name: 'fixed list', options: { data, host: 'h1' } })
  assert.throws(() => parseCommand(['fixed', 'list']), UsageError)
  assert.deepEqual(parseCommand(['cell', 'list']), { name: 'cell list', options: { data } })
})

test('images are replicated from one named cloud to another', () => {
  const command = parseCommand(['image', 'replicate', 'east', '--clouds', '/etc/clouds.yaml', 'west'])
  assert.deepEqual(command, {
    name: 'image replicate',
    options: { from: 'east', to: 'west', clouds: '/etc/clouds.yaml' },
  })
  assert.throws(() => parseCommand(['image', 'replicate', 'east']), /say which: nephos image replicate FROM TO/)
  assert.throws(() => parseCommand(['image', 'replicate', 'a', 'b', 'c']), /unexpected argument 'c'/)
})

test('a host is drained, suspended, resumed, and let alone again', () => {
  const data = resolve('nephos-data')
  assert.deepEqual(parseCommand('host drain h1 --together 2 --live yes'.split(' ')), {
    name: 'host',
    options: { data, host: 'h1', verb: 'drain', live: 'yes', together: 2 },
  })
  assert.deepEqual(parseCommand('host resume h1'.split(' ')), {
    name: 'host',
    options: { data, host: 'h1', verb: 'resume', live: 'auto', together: undefined },
  })
  assert.match(refused('host drain'), /nephos host drain HOST/)
  assert.match(refused('host drain h1 --together 0'), /--together is a whole number/)
  assert.match(refused('host suspend h1 --live no'), /drain only/)
})
