/** Journeys through the openstack client's command groups, written as text: what a user types, and what must come of it. */

export interface Step {
  words: string[]
  /** It must fail, and say this. */
  fails?: string
  /** Members that the answer must have, by name. */
  members: Record<string, string>
  /** What the output must contain. */
  shows: string[]
  /** The name under which later steps find the answer: `{name.id}`. */
  called?: string
  line: number
}

export interface Journey {
  /** The group of commands, `server` or `security group rule`. */
  group: string
  /** The entry of clouds.yaml. */
  as: string
  steps: Step[]
}

/**
 * Reads journeys. `# group (admin)` begins one; each line below is a command, with `-> word name=value "some words"` for what it must show (words
 * in the output, members of the answer), `! ` before it when it must fail, and `x := ` before it to keep the answer. Throws for a line that is none.
 */
export function parseJourneys(text: string): Journey[] {
  const journeys: Journey[] = []
  for (const [index, raw] of text.split('\n').entries()) {
    const line = raw.trim()
    const [, group, as] = /^# (.+?)(?: \((\w+)\))?$/.exec(line) ?? []
    if (group) journeys.push({ group, as: as ? `nephos-${as}` : 'nephos', steps: [] })
    else if (line !== '' && !line.startsWith('//')) {
      const journey = journeys.at(-1)
      if (!journey) throw new Error(`line ${index + 1}: a journey begins with '# group'`)
      journey.steps.push(parseStep(line, index + 1))
    }
  }
  return journeys
}

function parseStep(line: string, number: number): Step {
  const [, called, rest = ''] = /^(?:(\w+) := )?(.*)$/.exec(line)!
  const [command = '', wanted = ''] = rest.split(' -> ')
  const mustFail = command.startsWith('! ')
  const expected = wordsOf(wanted)
  const isMember = (word: string) => /^[\w:-]+=/.test(word)
  const members = expected.filter(isMember).map(word => [word.split('=')[0], word.slice(word.indexOf('=') + 1)])
  const shows = expected.filter(word => !isMember(word))
  return {
    words: wordsOf(mustFail ? command.slice(2) : command),
    members: Object.fromEntries(members),
    shows: mustFail ? [] : shows,
    line: number,
    ...(mustFail && { fails: shows.join(' ') }),
    ...(called !== undefined && { called }),
  }
}

/** Words as a shell would see them: quotes hold them together. */
function wordsOf(text: string): string[] {
  return [...text.matchAll(/(?:[^\s"]|"[^"]*")+/g)].map(([word]) => word.replaceAll('"', ''))
}

/** Puts answers of earlier steps in: `{x.id}`, and of a list `{x.0.ID}`. */
export function fill(word: string, answers: Map<string, Record<string, unknown>>): string {
  return word.replace(/\{(\w+)\.([^}]+)\}/g, (_all, name: string, member: string) => {
    let value: unknown = answers.get(name)
    for (const key of member.split('.')) value = (value as Record<string, unknown> | undefined)?.[key]
    if (value === undefined) throw new Error(`{${name}.${member}} is not known`)
    return String(value)
  })
}
