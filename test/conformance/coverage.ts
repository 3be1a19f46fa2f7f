/** docs/coverage.md: every operation of the inventory, with what answers it and which suites have called that. */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { answering, inventory, type Known } from './inventory.ts'
import { refusals } from './refusals.ts'
import { type Suite, seenBy, suites } from './results.ts'

const page = join(import.meta.dirname, '../../docs/coverage.md')

interface Line {
  known: Known
  ids: string[]
  /** The suites that have called any of them. */
  seen: Suite[]
}

export function writeCoverage(): void {
  writeFileSync(page, coverageText())
}

export function coverageText(): string {
  const calls = suites.map(suite => ({ suite, ids: new Set(seenBy(suite)) }))
  const byService = [...inventory()].map(([service, lines]) => ({
    service,
    lines: lines.map(known => {
      const ids = answering(known)
      return { known, ids, seen: calls.filter(call => ids.some(id => call.ids.has(id))).map(call => call.suite) }
    }),
  }))
  const begun = byService.filter(({ lines }) => lines.some(line => line.ids.length > 0))
  return [introduction, table(byService), ...begun.map(({ service, lines }) => serviceText(service, lines))].join('\n')
}

const introduction = `# Coverage of the APIs

Written by \`npm run conformance\`, from the inventory in \`test/conformance/inventory/\` (the operations of OpenStack's APIs), the operations of \`src/\`, and the calls that
suites were seen to make. *Tests* are the project's own (\`src/\`, \`test/\`), *tempest*, *cli* and *sdk* the suites of \`npm run conformance\`. What upstream has removed, and answers with 410,
counts as implemented when it does so here. What can only refuse says why; that it does is tested as well. A service of which nothing is there yet has its count only.
`

function table(services: { service: string; lines: Line[] }[]): string {
  const rows = services.map(({ service, lines }) => {
    const count = (suite: Suite) => lines.filter(line => line.seen.includes(suite)).length
    const done = lines.filter(line => line.ids.length > 0).length
    return `| ${service} | ${lines.length} | ${done} | ${suites.map(count).join(' | ')} |`
  })
  const head = `| service | operations | implemented | ${suites.map(suite => `called by ${suite}`).join(' | ')} |`
  return [head, `|---|---|---|${suites.map(() => '---|').join('')}`, ...rows, ''].join('\n')
}

/** Why an operation that no suite can have a good answer from has none. */
function refused(ids: string[]): string {
  const reasons = ids.map(id => refusals[id]?.why)
  return reasons.every(why => why !== undefined) ? [...new Set(reasons)].join('; ') : ''
}

function serviceText(service: string, lines: Line[]): string {
  const rows = lines.map(({ known, ids, seen }) => {
    const what = `${known.method} ${known.path}${known.action ? ` (${known.action})` : ''}`
    const state = ids.length > 0 ? 'yes' : known.removed ? 'removed upstream' : '**no**'
    const own = seen.filter(suite => suite !== 'tempest').join(', ') || refused(ids)
    return `| \`${what}\` | ${state} | ${own} | ${seen.includes('tempest') ? 'yes' : ''} |`
  })
  return [
    `## ${service}`,
    '',
    '| operation | implemented | tested by | Tempest |',
    '|---|---|---|---|',
    ...rows,
    '',
  ].join('\n')
}
