/** JSON home: the resources of the API by relation, for clients that find their way by it. Made from the operations. */
import type { Operation } from '#kernel/operation.ts'

const base = 'https://docs.openstack.org/api/openstack-identity/3'

/** Paths whose relation does not follow from their words. */
const named: Record<string, string> = {
  '/users/{user_id}/password': 'user_change_password',
  '/users/{user_id}/application_credentials': 'application_credentials',
  '/users/{user_id}/application_credentials/{application_credential_id}': 'application_credential',
  '/users/{user_id}/access_rules': 'access_rules',
  '/users/{user_id}/access_rules/{access_rule_id}': 'access_rule',
  '/roles/{prior_role_id}/implies': 'implied_roles',
  '/roles/{prior_role_id}/implies/{implied_role_id}': 'implied_role',
}

const singular = (word: string) => word.replace(/ies$/, 'y').replace(/s$/, '')
const isParameter = (segment: string | undefined) => segment?.startsWith('{') === true

/** The path below /v3 with upstream's names of parameters: `/users/{user_id}`. */
function templateOf(path: string): string {
  return path
    .replace(/^\/v3/, '')
    .replace(/(\w+)\/\{id\}/g, (_all, collection: string) => `${collection}/{${singular(collection)}_id}`)
    .replace('{tag}', '{value}')
}

/** `/projects/{project_id}/users/{user_id}/roles` is `project_user_roles`: what has a parameter after it is one of its kind. */
function relationOf(template: string): string {
  const known = named[template]
  if (known) return `${base}/rel/${known}`
  const [extension, rest] = /^\/(OS-[A-Z]+)(\/.*)$/.exec(template)?.slice(1) ?? [undefined, template]
  const segments = rest!.split('/').filter(Boolean)
  const words = segments.flatMap((segment, i) =>
    isParameter(segment) ? [] : [isParameter(segments[i + 1]) ? singular(segment) : segment],
  )
  return `${base}/${extension ? `ext/${extension}/1.0/rel` : 'rel'}/${words.join('_')}`
}

function entryOf(template: string): object {
  const names = [...template.matchAll(/\{(\w+)\}/g)].map(match => match[1]!)
  if (names.length === 0) return { href: template }
  return {
    'href-template': template,
    'href-vars': Object.fromEntries(names.map(name => [name, `${base}/param/${name}`])),
  }
}

/** `prefix` is what stands before each path: nothing in the document of /v3 itself. */
export function jsonHome(operations: readonly Operation[], prefix = ''): object {
  const templates = new Set(operations.filter(o => o.path.startsWith('/v3/')).map(o => templateOf(o.path)))
  const resources = [...templates].map(template => [relationOf(template), entryOf(prefix + template)])
  return { resources: Object.fromEntries(resources) }
}

/** Whether the client would rather have JSON home than plain JSON. */
export function wantsJsonHome(accept: string | undefined): boolean {
  const weights = new Map(
    (accept ?? '').split(',').map(part => {
      const [type, ...parameters] = part.trim().split(/\s*;\s*/)
      const quality = parameters.find(parameter => parameter.startsWith('q='))
      return [type!.toLowerCase(), quality ? Number(quality.slice(2)) : 1] as const
    }),
  )
  const plain = Math.max(...['application/json', 'application/*', '*/*'].map(type => weights.get(type) ?? 0))
  return (weights.get('application/json-home') ?? 0) > plain
}
