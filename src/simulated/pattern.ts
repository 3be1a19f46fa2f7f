/** Patterns of names: `*` stands for anything, all else for itself. */
export function fits(pattern: string | undefined, name: string): boolean {
  if (pattern === undefined || pattern === name) return true
  const [head, ...rest] = pattern.split('*')
  const tail = rest.pop()
  if (tail === undefined || !name.startsWith(head!)) return false
  // The first place of each part is as good as any other: no way has to be tried twice, as a regular expression would.
  let at = head!.length
  for (const part of rest) {
    const found = name.indexOf(part, at)
    if (found < 0) return false
    at = found + part.length
  }
  return name.length - tail.length >= at && name.endsWith(tail)
}
