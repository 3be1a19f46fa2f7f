/** docs/server-states.md: which action is allowed on a server when. */
import { type Allowed, allowed } from '../src/services/compute/servers/states.ts'

const code = (words: readonly string[]) => words.map(word => `\`${word}\``).join(' ')

function row([name, rule]: [string, Allowed]): string {
  const stuck = rule.overStuck ? `${code(rule.overStuck.tasks)} (${rule.overStuck.after})` : ''
  const cells = [
    `\`${name}\``,
    code(rule.from),
    rule.task ? code([rule.task]) : '',
    code(rule.over ?? []),
    stuck,
    rule.evenLocked ? 'yes' : '',
  ]
  return `| ${cells.join(' | ')} |`
}

export const serverStates = (): string => `# States of a server

Written by \`npm run generate\` from \`src/services/compute/servers/states.ts\`, the table that the routes obey.

An action is allowed from the states (\`OS-EXT-STS:vm_state\`) of its row while no task (\`OS-EXT-STS:task_state\`) is under way, and is a 409 otherwise. Some take the
place of certain tasks at once, some only of a task in which nothing has changed for longer than \`compute.stuck_seconds\` says for its kind (in brackets). A lock stops
all but those marked, unless an administrator asks. Delete is not in the table: it is allowed always, from everywhere, and wins over whatever goes on.

| action | from | its task | takes the place of | once stuck | even when locked |
|---|---|---|---|---|---|
${Object.entries(allowed).map(row).join('\n')}
`
