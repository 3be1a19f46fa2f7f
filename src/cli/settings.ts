/** What a deployer has set, read once at start: every process of a cloud has the same, whatever becomes of the files meanwhile. */
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { type Config, loadConfig } from '#kernel/config/load.ts'
import { readPolicyFile } from '#kernel/policy/policy-file.ts'
import type { CheckSource } from '#kernel/policy/rule.ts'
import { configured, type Service } from '#kernel/service.ts'
import { sections } from '../cloud.ts'
import { services } from '../services.ts'

export interface Settings {
  files: { path: string; text: string }[]
  /** `section.key=value`. */
  overrides: string[]
  policy: Record<string, CheckSource>
}

/** Of a data directory. */
export function readSettings(dir: string, overrides: string[]): Settings {
  const files = [join(dir, 'nephos.yaml')].filter(existsSync).map(path => ({ path, text: readFileSync(path, 'utf8') }))
  const policyFile = join(dir, 'policy.yaml')
  return { files, overrides, policy: existsSync(policyFile) ? readPolicyFile(policyFile) : {} }
}

/** Throws a `ConfigError` that names file and line. The environment counts too. */
export function configOf({ files, overrides }: Settings): Config {
  const texts = new Map(files.map(({ path, text }) => [path, text]))
  return loadConfig(sections, {
    files: [...texts.keys()],
    read: path => texts.get(path)!,
    env: process.env,
    overrides,
  })
}

/** The services of the cloud in a data directory, with the extensions that its configuration names. */
export const servicesOf = (dir: string): Promise<Service[]> => configured(services, configOf(readSettings(dir, [])))
