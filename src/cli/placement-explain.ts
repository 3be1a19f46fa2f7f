/** `nephos placement explain`: which providers of resources could take a request, and which constraint the others fail. */
import { adminApi } from './admin-api.ts'

export interface Explained {
  candidates: number
  refusals: { name: string; group: string; constraint: string; asked: string; had: string }[]
}

/** What there is to say, line by line. */
export function explainedLines({ candidates, refusals }: Explained): string[] {
  const width = Math.max(0, ...refusals.map(({ name }) => name.length))
  return [
    ['Nothing can take it.', 'There is one way to meet it.'][candidates] ?? `There are ${candidates} ways to meet it.`,
    ...refusals.map(({ name, group, constraint, asked, had }) => {
      const part = group === '' ? '' : ` (part ${group})`
      return `  ${name.padEnd(width)}  ${constraint}${part}: asked ${asked}, had ${had}`
    }),
  ]
}

/** `query` is that of allocation candidates. Exit code 1 when the cloud refuses it. */
export async function placementExplain({ data, query }: { data: string; query: string }): Promise<number> {
  const api = await adminApi(data)
  const answer = await api.placement<Explained & { errors?: { detail: string }[] }>(
    `/allocation_candidates/nephos-explain?${query}`,
  )
  if (answer.status !== 200) {
    console.error(answer.body.errors?.[0]?.detail ?? `The cloud answered ${answer.status}.`)
    return 1
  }
  for (const line of explainedLines(answer.body)) console.log(line)
  return 0
}
