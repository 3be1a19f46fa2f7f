/** What each package manager is told, and how its answers are read. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { ProgramEnd } from '../../../drivers/driver.ts'
import { packagesTool } from './packages.ts'
import type { Inside, Outcome, Task } from './tool.ts'

/** A guest where queries are answered in turn, and all else goes well; `ran` has every command. */
function guestOf(system: string, queries: string[]) {
  const ran: string[] = []
  const inside: Inside = {
    system,
    async run(path, args): Promise<ProgramEnd> {
      ran.push([path, ...args].join(' '))
      const isQuery = ['dpkg-query', 'rpm'].includes(path) || args[0] === 'info'
      const answer = isQuery ? queries.shift()! : ''
      return { code: isQuery && answer === '' ? 1 : 0, output: answer, errors: '' }
    },
    write: async () => {},
  }
  const act = (task: Partial<Task>): Promise<Outcome> =>
    packagesTool.act(inside, { event: '', ...task }, { packages: [], leaving: [], manifest: null })
  return { ran, act }
}

const apt = 'apt-get -q -y -o DPkg::Lock::Timeout=300 -o Dpkg::Options::=--force-confold -o APT::Cmd::Pattern-Only=true'

test('each system has its own words for a package that comes, in a version, and goes', async () => {
  const cases: [system: string, there: string, version: string, install: string, remove: string][] = [
    ['ubuntu', 'installed 2:9.0-1\n', '2:9.0-1', `${apt} install --allow-downgrades vim=2:9.0-1`, `${apt} remove vim`],
    ['alpine', 'vim-9.0-r1\n', '9.0-r1', 'apk add --wait 300 vim=9.0-r1', 'apk del --wait 300 vim'],
    ['rocky', '9.0-1.el9\n', '9.0-1.el9', 'dnf -y install vim-9.0-1.el9', 'dnf -y remove vim'],
    [
      ...(['opensuse-leap', '9.0-1\n', '9.0-1'] as const),
      'zypper --non-interactive install --auto-agree-with-licenses vim=9.0-1',
      'zypper --non-interactive remove vim',
    ],
  ]
  for (const [system, there, version, install, remove] of cases) {
    const coming = guestOf(system, ['', there])
    assert.deepEqual(await coming.act({ package: 'vim', version }), { version }, system)
    assert.equal(coming.ran[1], install)
    const going = guestOf(system, [there, ''])
    assert.deepEqual(await going.act({ package: 'vim' }), { version: null, had: version }, system)
    assert.equal(going.ran[1], remove)
  }
})

test('what is there, or not, already is left alone', async () => {
  const there = guestOf('debian', ['installed 1.2-3\n'])
  assert.deepEqual(await there.act({ package: 'vim', version: '1.2' }), { version: '1.2-3' })
  const away = guestOf('debian', [''])
  assert.deepEqual(await away.act({ package: 'vim' }), { version: null })
  assert.equal(there.ran.length + away.ran.length, 2)
})

test('what counts is what the guest then has, not how a program ended', async () => {
  const half = guestOf('debian', ['', 'half-configured 1.0\n'])
  assert.deepEqual(await half.act({ package: 'vim', version: null }), { failed: 'apt-get ended with 0.' })
  const other = guestOf('fedora', ['1.0-1\n', '1.0-1\n'])
  assert.deepEqual(await other.act({ package: 'vim', version: '2.0' }), { failed: 'dnf ended with 0.' })
  const stays = guestOf('alpine', ['vim-1\n', 'vim-1\n'])
  assert.deepEqual(await stays.act({ package: 'vim' }), { failed: 'apk ended with 0.' })
})

test('a system that nobody knows is told so', async () => {
  const guest = guestOf('plan9', [])
  for (const task of [{}, { package: 'vim', version: null }, { package: 'vim' }])
    assert.match(JSON.stringify(await guest.act(task)), /No package manager is known for the guest's system, plan9/)
  assert.deepEqual(guest.ran, [])
})
