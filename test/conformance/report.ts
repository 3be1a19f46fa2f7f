/** Writes the pages: docs/coverage.md, and docs/conformance.md from the results that are kept and the list of known failures. */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { writeCoverage } from './coverage.ts'
import { knownFailures } from './known-failures.ts'
import { type Kept, keptReal, keptResults } from './results.ts'
import { onList, realLists, simulatedLists } from './tempest/lists.ts'

const page = join(import.meta.dirname, '../../docs/conformance.md')

export function writeReport(): void {
  writeFileSync(page, reportText())
  writeCoverage()
}

export function reportText(): string {
  const found = [
    ...simulatedLists.map(list => ({ list, kept: keptResults(list) })),
    ...realLists.map(list => ({ list: `${list} --real`, kept: keptReal(onList(list)) })),
    ...['cli', 'sdk'].map(list => ({ list, kept: keptResults(list) })),
  ].flatMap(({ list, kept }) => (kept ? [{ list, kept }] : []))
  const overlapping = ['smoke', 'interop', 'guests --real']
  const byArea = found.filter(({ list }) => !overlapping.includes(list))
  return [introduction, table(found), ...byArea.map(({ list, kept }) => areaText(list, kept))].join('\n')
}

const introduction = `# Conformance

Written by \`npm run conformance\`: suites and clients that the project did not write, against a cloud started as a user starts it
(\`nephos up --simulated --hosts 3\`). Tempest's configuration is made from the cloud itself, with every feature on that the cloud offers. With \`--real\` they run on guests of
QEMU and a network of Linux, on one host: *scenario*, and \`api.compute\`, of which *guests* are the tests that log in. Where there is no KVM a test takes a minute or two, so
that such runs are made in parts (\`--list api.compute.servers.test_server_rescue --real\`), and each test is told as it went last. *cli* is a journey for each group of commands of the openstack client.
What fails is named in \`test/conformance/known-failures.txt\`, and that list may only shrink: a run fails on any other failure, and on what is listed and passes.
The lists smoke and interop (guideline 2020.06: compute, and the storage of platforms) overlap with the areas.
`

const suiteOf = (list: string, { version }: Kept) =>
  ({ cli: `python-openstackclient ${version}`, sdk: `openstacksdk ${version}` })[list] ?? `Tempest ${version}`

function table(found: { list: string; kept: Kept }[]): string {
  const rows = found.map(({ list, kept }) => {
    const skipped = Object.values(kept.skipped).reduce((sum, count) => sum + count, 0)
    return `| ${list} | ${suiteOf(list, kept)} | ${kept.passed} | ${kept.failed.length} | ${skipped} | ${kept.unreached ?? 0} |`
  })
  return ['| tests | of | passed | failed | skipped | not reached |', '|---|---|---|---|---|---|', ...rows, ''].join(
    '\n',
  )
}

function areaText(list: string, kept: Kept): string {
  const reasons = knownFailures()
  const failed = kept.failed.map(
    test => `- \`${test.replace(/^(real\.)?tempest\./, '')}\`: ${reasons.get(test) ?? 'new'}`,
  )
  const skipped = Object.entries(kept.skipped)
    .sort((a, b) => b[1] - a[1])
    .map(([reason, count]) => `- ${count} × ${reason}`)
  return [
    `## ${list}`,
    '',
    ...(failed.length > 0 ? ['Failed:', '', ...failed, ''] : []),
    ...(skipped.length > 0 ? ['Skipped:', '', ...skipped, ''] : []),
    ...(kept.unreached ? [`The run had no time for ${kept.unreached} tests.`, ''] : []),
    ...(failed.length + skipped.length + (kept.unreached ?? 0) === 0 ? ['Everything passes.', ''] : []),
  ].join('\n')
}
