/** Access rules: a token may be held to some requests of some services (Keystone's application credentials). */

export interface AccessRule {
  /** Type of the service, as in the catalog. */
  service: string
  method: string
  /** As the service sees it. `*` and `{name}` are one segment, `**` is anything. */
  path: string
}

/** The places in the path where `mark` may end, when what is before it may end at `ends`. */
function endsAfter(mark: string, path: string, ends: ReadonlySet<number>): Set<number> {
  const next = new Set<number>()
  const isSegment = mark === '*' || /^\{.*\}$/.test(mark)
  if (mark !== '**' && !isSegment) {
    for (const end of ends) if (path.startsWith(mark, end)) next.add(end + mark.length)
    return next
  }
  let isInside = false
  for (let place = 0; place <= path.length; place++) {
    if (isInside) next.add(place)
    if (ends.has(place)) isInside = true
    if (mark === '**' && isInside) next.add(place)
    if (isSegment && path[place] === '/') isInside = false
  }
  return next
}

/** Whether the pattern covers the whole path; in time of one times the other, whatever a user wrote as a pattern. */
function covers(pattern: string, path: string): boolean {
  const marks = pattern.split(/(\*\*|\*|\{[^}/]*\})/).filter(mark => mark !== '')
  let ends = new Set([0])
  for (const mark of marks) ends = endsAfter(mark, path, ends)
  return ends.has(path.length)
}

/** Whether one of the rules allows the request; `path` is without the query. */
export function allowedByRules(rules: readonly AccessRule[], asked: AccessRule): boolean {
  return rules.some(
    rule => rule.service === asked.service && rule.method === asked.method && covers(rule.path, asked.path),
  )
}
