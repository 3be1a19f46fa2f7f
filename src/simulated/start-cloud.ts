/** `startCloud`: an isolated cloud in the process of a test, on a port of its own, gone when it is disposed of. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { cloudConfig } from '#kernel/config/cloud-config.ts'
import { loadConfig } from '#kernel/config/load.ts'
import { createLog, silentLog } from '#kernel/log.ts'
import { type Passwords, writeClouds } from '../cli/data-dir.ts'
import { sections } from '../cloud.ts'
import type { CloudAuth, StartOptions, TestCloud } from './controls.ts'
import { startSimulated } from './simulated.ts'

const firstPasswords: Passwords = { admin: 'admin', demo: 'demo' }

/** Hashing a password as slowly as a real cloud must is wasted on tests. */
const settings = (dir: string) => [
  `image.directory=${join(dir, 'images')}`,
  'identity.password_memory_kib=8',
  'identity.password_passes=1',
]

export async function startCloud(options: StartOptions = {}): Promise<TestCloud> {
  const dir = mkdtempSync(join(tmpdir(), 'nephos-'))
  try {
    const config = loadConfig(sections, { overrides: [...settings(dir), ...(options.settings ?? [])] })
    const log = options.log === undefined ? silentLog() : createLog({ level: 'debug', destination: options.log })
    const { hosts = 1, port = 0, host = '127.0.0.1' } = options
    const { region } = config.of(cloudConfig)
    const cloudsFile = join(dir, 'clouds.yaml')
    let passwords = firstPasswords
    const cloud = await startSimulated({
      ...{ dir, kept: false, config, log, passwords, hosts, host, port },
      ...(options.preset && { preset: options.preset }),
      ...(options.snapshot && { snapshot: options.snapshot }),
      passwordsChanged(others, url) {
        passwords = others
        writeClouds(cloudsFile, url, region, others)
      },
    })
    writeClouds(cloudsFile, cloud.url, region, passwords)
    const stop = async () => {
      await cloud[Symbol.asyncDispose]()
      rmSync(dir, { recursive: true, force: true })
    }
    return {
      ...cloud.controls,
      url: cloud.url,
      cloudsFile,
      get auth() {
        const of = (name: 'demo' | 'admin') => authOf(name, passwords[name], cloud.url, region)
        return { demo: of('demo'), admin: of('admin') }
      },
      environment: (name = 'nephos') => ({ OS_CLIENT_CONFIG_FILE: cloudsFile, OS_CLOUD: name }),
      stop,
      [Symbol.asyncDispose]: stop,
    }
  } catch (error) {
    rmSync(dir, { recursive: true, force: true })
    throw error
  }
}

/** Of a user who is called as the project. */
function authOf(name: string, password: string, url: string, region_name: string): CloudAuth {
  return {
    auth_url: `${url}/identity/v3`,
    username: name,
    password,
    user_domain_name: 'Default',
    project_name: name,
    project_domain_name: 'Default',
    region_name,
  }
}
