/** What is above and below a project, as `GET /v3/projects/{id}` adds it when asked. */
import type { Ctx } from '#kernel/context.ts'
import { BadRequest } from '#kernel/errors.ts'
import type { Rule } from '#kernel/policy/rule.ts'
import { ancestors } from '../assignments/assignment.ts'
import { descendants, projectTarget, projectView } from './project.ts'
import { type ProjectRow, projects } from './store.ts'

/** `{ child: { grandchild: null } }`; null for none. */
type Tree = { [id: string]: Tree } | null

function treeBelow(id: string, all: readonly ProjectRow[]): Tree {
  const children = all.filter(project => project.parent_id === id)
  return children.length === 0 ? null : Object.fromEntries(children.map(({ id }) => [id, treeBelow(id, all)]))
}

function listed(ctx: Ctx, all: readonly ProjectRow[], mayGet: Rule) {
  return all
    .filter(project => ctx.can(mayGet, projectTarget(project)))
    .map(project => ({ project: projectView(ctx, project) }))
}

async function parentsOf(ctx: Ctx, row: ProjectRow, asList: boolean, mayGet: Rule) {
  const ids = await ancestors(ctx, row)
  if (!asList) return ids.reduceRight<Tree>((above, id) => ({ [id]: above }), null)
  const found = await projects.list(ctx.db, { id: ids })
  const nearestFirst = found.sort((a, b) => ids.indexOf(a.id) - ids.indexOf(b.id))
  return listed(ctx, nearestFirst, mayGet)
}

/** The query's way of asking for parents or subtree; undefined when it does not. */
function formOf(query: Record<string, unknown>, what: string): 'list' | 'ids' | undefined {
  const [list, ids] = [`${what}_as_list` in query, `${what}_as_ids` in query]
  if (list && ids) throw new BadRequest(`Cannot use ${what}_as_list and ${what}_as_ids query params at the same time.`)
  return list ? 'list' : ids ? 'ids' : undefined
}

export async function hierarchyOf(ctx: Ctx, row: ProjectRow, query: Record<string, unknown>, mayGet: Rule) {
  const [parents, subtree] = [formOf(query, 'parents'), formOf(query, 'subtree')]
  const below = subtree ? await descendants(ctx, row.id) : []
  return {
    ...(parents && { parents: await parentsOf(ctx, row, parents === 'list', mayGet) }),
    ...(subtree && { subtree: subtree === 'list' ? listed(ctx, below, mayGet) : treeBelow(row.id, below) }),
  }
}
