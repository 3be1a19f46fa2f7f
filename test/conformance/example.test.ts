/** The example project for users' own CI, as it is: its tests of a program that uses openstacksdk, against a cloud started as a user starts it. */
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { cpSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { promisify } from 'node:util'
import { parse } from 'yaml'
import { findProgram } from '../../src/cli/debian-packages.ts'
import { type RunningCloud, startCloud } from './cloud.ts'
import { installSdk } from './sdk/mode.ts'

const run = promisify(execFile)
const example = join(import.meta.dirname, '../../examples/github-actions')

test('the workflow starts a cloud in each of its jobs, before it is used', () => {
  const text = readFileSync(join(example, '.github/workflows/clouds.yml'), 'utf8')
  const { jobs } = parse(text) as { jobs: Record<string, { steps: { run?: string }[] }> }
  assert.deepEqual(Object.keys(jobs), ['openstacksdk', 'gophercloud', 'opentofu'])
  for (const { steps } of Object.values(jobs)) assert.match(steps[1]!.run!, /nephos up --simulated/)
})

test('its tests of a program that uses openstacksdk pass', { timeout: 900_000 }, async t => {
  const { python } = await installSdk(line => t.diagnostic(line))
  await using cloud = await startCloud({ flags: ['--simulated', '--ephemeral'] })
  const { stderr } = await run(python, ['-W', 'ignore', '-m', 'unittest', '-v'], inCopy(cloud, 'openstacksdk'))
  assert.match(stderr, /^Ran 6 tests/m)
})

const go = findProgram('go')

test('its tests of a program that uses gophercloud pass', { timeout: 900_000, skip: !go && 'needs go' }, async t => {
  await using cloud = await startCloud({ flags: ['--simulated', '--ephemeral'] })
  const options = inCopy(cloud, 'gophercloud')
  try {
    await run(go!, ['mod', 'download'], options)
  } catch (error) {
    return t.skip(`its Go modules cannot be had here: ${(error as Error).message.split('\n')[1]}`)
  }
  const { stdout } = await run(go!, ['test', '-v', './...'], options)
  assert.equal(stdout.match(/^--- PASS/gm)?.length, 2, stdout)
})

/** A copy of a part of the example, and the variables with which it finds the cloud. */
function inCopy(cloud: RunningCloud, part: string) {
  const cwd = join(cloud.dir, part)
  cpSync(join(example, part), cwd, { recursive: true })
  const env = { ...process.env, OS_CLIENT_CONFIG_FILE: cloud.cloudsFile, OS_CLOUD: 'nephos', NEPHOS_URL: cloud.url }
  return { cwd, env }
}
