/** Deferred deletion and the way back, at every step. */
import { act, crashStories, type Flow } from './fixtures/crash-stories.ts'

const set = ['compute.reclaim_instance_seconds=3600']
const softDelete: Flow['begin'] = (cloud, who, id) => cloud.api(who, 'DELETE', `/servers/${id}`)

crashStories({
  'deferred delete': {
    saga: 'softDelete',
    set,
    begin: softDelete,
    ends: 'SOFT_DELETED',
    fails: 'ACTIVE',
    undone: true,
  },
  restore: {
    saga: 'restore',
    set,
    async also(cloud, id) {
      await softDelete(cloud, await cloud.project('p1'), id)
      await cloud.env.sagas.idle()
    },
    begin: act({ restore: null }),
    ends: 'ACTIVE',
    fails: 'SOFT_DELETED',
    undone: true,
  },
})
