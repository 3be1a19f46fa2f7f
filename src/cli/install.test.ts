/** What is said when something is missing. Nothing is installed here. */
import assert from 'node:assert/strict'
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { findProgram, missingNeeds, needsOf } from './debian-packages.ts'
import { InstallError, type InstallOptions, installMissing } from './install.ts'

function folderWith(t: TestContext, programs: string[]): NodeJS.ProcessEnv {
  const folder = mkdtempSync(join(tmpdir(), 'nephos-install-'))
  t.after(() => rmSync(folder, { recursive: true }))
  for (const program of programs) {
    writeFileSync(join(folder, program), '#!/bin/sh\n')
    chmodSync(join(folder, program), 0o755)
  }
  return { PATH: folder }
}

const refusal = async (...[drivers, options]: Parameters<typeof installMissing>) =>
  installMissing(drivers, options).then(
    () => assert.fail('it was content'),
    error => {
      assert.ok(error instanceof InstallError)
      return error.message
    },
  )

const user: InstallOptions = { install: true, root: false }

test('fake drivers need nothing', async () => {
  assert.deepEqual(needsOf({ virt: 'fake', network: 'fake' }), [])
  await installMissing({ virt: 'fake', network: 'fake' }, { ...user, env: { PATH: '' } })
})

test('a program counts when it is an executable file', t => {
  const env = folderWith(t, ['nephos-here'])
  writeFileSync(join(env.PATH!, 'nephos-plain'), '')
  assert.equal(findProgram('nephos-here', env), join(env.PATH!, 'nephos-here'))
  assert.equal(findProgram('nephos-plain', env), undefined)
  assert.equal(findProgram('nephos-absent', env), undefined)
})

test('with every program there, nothing happens', async t => {
  const drivers = { virt: 'qemu', network: 'linux' } as const
  const env = folderWith(
    t,
    needsOf(drivers).map(need => need.program),
  )
  assert.deepEqual(missingNeeds(drivers, env), [])
  await installMissing(drivers, { install: false, root: true, env })
})

test('without root, networks are refused with the ways out', async () => {
  const text = await refusal({ virt: 'qemu', network: 'linux' }, { ...user })
  assert.match(text, /sudo \.\/nephos up\n/)
  assert.match(text, /up --network fake/)
  assert.match(text, /up --simulated/)
})

test('--no-install names each missing program, its reason, and the command', async t => {
  const drivers = { virt: 'qemu', network: 'fake' } as const
  const missing = missingNeeds(drivers, folderWith(t, []))
  if (missing.length === 0) return t.skip('the system folders of this machine have them all')
  const env = folderWith(t, ['apt-get'])
  const text = await refusal(drivers, { install: false, root: true, env })
  assert.match(text, /qemu-img +qemu-utils +makes and converts disks/)
  assert.match(text, /Install them with: apt-get install --no-install-recommends .*qemu-utils/)
  assert.match(await refusal(drivers, { ...user, env }), /Install them with: sudo apt-get install/)
  assert.match(await refusal(drivers, { ...user, env: folderWith(t, []) }), /no apt-get/)
})
