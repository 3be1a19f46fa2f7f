/** `npm run conformance -- MODE`: suites that we did not write, against a cloud started as a user starts it. */
import { parseArgs } from 'node:util'
import { messageOf } from '../../src/kernel/errors.ts'
import { isAlone, runAlone } from './alone.ts'
import { cliMode } from './cli/mode.ts'
import { ownTests } from './own-tests.ts'
import { writeReport } from './report.ts'
import { installSdk, sdkMode } from './sdk/mode.ts'
import { installTempest, tempestMode } from './tempest/mode.ts'

const usage = `npm run conformance -- tempest [--list NAME,NAME] [--real] [--workers N] [--minutes N] [--keep DIR] [--dry]
  NAME   smoke, interop, guests, all, an area such as api.identity, or something below one (api.identity.v3.test_tokens)
  --real guests of QEMU and a network of Linux, on one host: for scenario and api.compute, or parts of them; guests are those that log in (needs root)
  DIR    where to leave Tempest's log and each failure
  --dry  leaves docs/conformance.md as it is
npm run conformance -- cli [GROUP…] [--dry]
  Journeys through the openstack client's command groups (server, floating_ip …)
npm run conformance -- sdk [PATTERN…] [--workers N] [--minutes N] [--keep DIR] [--dry]
  openstacksdk's own functional tests
npm run conformance -- tests
  The project's own tests, to note for docs/coverage.md which operations they call
npm run conformance -- report
  Writes docs/conformance.md and docs/coverage.md again from the results that are kept`

const say = (line: string) => console.log(line)

async function main(words: string[]): Promise<number> {
  const { values, positionals } = parseArgs({
    args: words,
    allowPositionals: true,
    options: {
      list: { type: 'string' },
      real: { type: 'boolean', default: false },
      workers: { type: 'string' },
      minutes: { type: 'string' },
      keep: { type: 'string' },
      dry: { type: 'boolean', default: false },
    },
  })
  const [mode, ...groups] = positionals
  if (mode === 'report') {
    writeReport()
    return 0
  }
  if (mode === 'tests') {
    const passed = await ownTests()
    writeReport()
    return passed ? 0 : 1
  }
  if (mode === 'cli') {
    if (!isAlone()) return runAlone(import.meta.filename, words)
    return (await cliMode({ groups: groups.map(group => group.replaceAll('_', ' ')), write: !values.dry, say })) ? 0 : 1
  }
  const { keep, dry, real } = values
  // Real guests are slow without KVM, and two that boot at once are slower.
  const usual = real
    ? { list: 'scenario,guests', workers: 1, minutes: 180 }
    : { list: 'smoke', workers: 2, minutes: 60 }
  const { list = usual.list, workers = usual.workers, minutes = usual.minutes } = values
  const options = { workers: Number(workers), minutes: Number(minutes), keep, write: !dry, say }
  if (mode === 'sdk') {
    const sdk = await installSdk(say)
    if (!isAlone()) return runAlone(import.meta.filename, words)
    // Some make networks in the project of all, while others boot servers there that name none.
    return (await sdkMode(sdk, { ...options, workers: Number(values.workers ?? 1), patterns: groups })) ? 0 : 1
  }
  if (mode !== 'tempest') throw new Error(`say what to run:\n${usage}`)
  const tempest = await installTempest(say)
  if (!isAlone()) return runAlone(import.meta.filename, words)
  return (await tempestMode(tempest, { ...options, real, lists: list.split(',') })) ? 0 : 1
}

try {
  process.exitCode = await main(process.argv.slice(2))
} catch (error) {
  console.error(messageOf(error))
  process.exitCode = 2
}
