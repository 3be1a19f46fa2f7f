/** Puppet and Chef: each is told the whole node in a file that it applies, and the packages are looked for afterwards. */
import { installed, isAsked, lookedUp, refreshed } from './packages.ts'
import { type Inside, type NodeDefinition, type Outcome, reasonOf, type Task, type Tool } from './tool.ts'

interface ManifestTool {
  /** Of the package that brings it, when the guest does not have it. */
  package: string
  program: string
  file: string
  /** The node as the tool reads it. */
  definition(node: NodeDefinition): string
  args(path: string): string[]
  /** Codes of a run that went well. */
  well: number[]
}

/** Only root looks into it, and nothing lies there but while it is applied. */
export const manifestFolder = '/var/lib/nephos-software'
const applyMinutes = 30

/** What the manifest does not declare itself, declared after it. Names and versions have no quotes. */
function puppetDefinition({ manifest, packages, leaving }: NodeDefinition): string {
  const declare = (name: string, ensure: string) =>
    `if !defined(Package['${name}']) { package { '${name}': ensure => ${ensure} } }`
  return [
    manifest ?? '',
    ...packages.map(({ name, version }) => declare(name, version === null ? 'installed' : `'${version}'`)),
    ...leaving.map(name => declare(name, 'absent')),
    '',
  ].join('\n')
}

/** Recipes find the packages in the node's attributes. */
function chefDefinition({ manifest, packages, leaving }: NodeDefinition): string {
  const node = JSON.parse(manifest ?? '{}') as Record<string, unknown>
  return JSON.stringify({ ...node, nephos: { packages, removed: leaving } })
}

const puppet: ManifestTool = {
  package: 'puppet',
  program: 'puppet',
  file: 'manifest.pp',
  definition: puppetDefinition,
  args: path => ['apply', '--detailed-exitcodes', '--color=false', path],
  well: [0, 2],
}

const chef: ManifestTool = {
  package: 'chef',
  program: 'chef-client',
  file: 'node.json',
  definition: chefDefinition,
  args: path => ['--local-mode', '--no-color', '--json-attributes', path],
  well: [0],
}

async function bootstrapped(inside: Inside, tool: ManifestTool): Promise<Outcome> {
  const asked = await inside.run(tool.program, ['--version'])
  if (asked.code === 0) return { version: null }
  await refreshed(inside)
  const brought = await installed(inside, tool.package, null)
  if (!('failed' in brought)) return brought
  return { failed: `The guest has no ${tool.program}, and its package cannot be installed: ${brought.failed}` }
}

async function applied(inside: Inside, tool: ManifestTool, node: NodeDefinition): Promise<Outcome> {
  const made = await inside.run('mkdir', ['-p', '-m', '700', manifestFolder])
  if (made.code !== 0) return { failed: reasonOf('mkdir', made) }
  const path = `${manifestFolder}/${tool.file}`
  try {
    await inside.write(path, tool.definition(node))
    const end = await inside.run(tool.program, tool.args(path), { minutes: applyMinutes })
    return end.code !== null && tool.well.includes(end.code)
      ? { version: null }
      : { failed: reasonOf(tool.program, end) }
  } finally {
    await inside.run('rm', ['-f', path])
  }
}

/** What is there of a package that was to come, or to go. */
async function checked(inside: Inside, name: string, asked: string | null | undefined): Promise<Outcome> {
  const found = await lookedUp(inside, name)
  if ('failed' in found) return found
  const { version } = found
  if (asked === undefined) return version === null ? found : { failed: `It is still there, as ${version}.` }
  if (version === null) return { failed: 'The manifest was applied, and it is not there.' }
  return isAsked(version, asked) ? found : { failed: `It is there as ${version}, not as ${asked}.` }
}

const bootstrap = (tool: ManifestTool) => `find ${tool.program}`
const apply = 'apply manifest'

const toolOf = (tool: ManifestTool): Tool => ({
  tasks: ({ packages, leaving }) => [
    { event: bootstrap(tool) },
    { event: apply },
    ...packages.map(({ name, version }): Task => ({ event: `look for ${name}`, package: name, version })),
    ...leaving.map((name): Task => ({ event: `look for ${name}`, package: name })),
  ],
  act(inside, { event, package: name, version }, node) {
    if (name !== undefined) return checked(inside, name, version)
    return event === apply ? applied(inside, tool, node) : bootstrapped(inside, tool)
  },
})

export const puppetTool = toolOf(puppet)
export const chefTool = toolOf(chef)
