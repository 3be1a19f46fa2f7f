/** Live migration and evacuation at every step. */
import { act, crashStories } from '../fixtures/crash-stories.ts'
import type { ServerCloud } from '../fixtures/server-cloud.ts'

/** Its host counts as down, though it still answers: what is left there must go all the same. */
async function hostFails(cloud: ServerCloud, id: string): Promise<void> {
  const admin = await cloud.admin()
  const { host } = await cloud.row(id)
  const { body } = await cloud.api<{ services: { id: string; host: string }[] }>(admin, 'GET', '/os-services')
  for (const service of body.services) {
    const path = `/os-services/${service.id}`
    await cloud.api(admin, 'PUT', path, { forced_down: service.host === host })
  }
}

crashStories({
  'live migration': {
    saga: 'live-migration',
    begin: act({ 'os-migrateLive': { host: null, block_migration: 'auto' } }),
    ends: 'ACTIVE',
    fails: 'ACTIVE',
    undone: true,
    admin: true,
    goes: ['target', 'source'],
  },
  evacuation: {
    saga: 'evacuate',
    also: hostFails,
    begin: act({ evacuate: {} }),
    ends: 'SHUTOFF',
    fails: 'ACTIVE',
    undone: true,
    admin: true,
    goes: ['target'],
  },
})
