/** Rebuild and rescue at every step: the server has its old disks or its new ones, never neither. */
import { act, crashStories } from './fixtures/crash-stories.ts'
import { tiny } from './fixtures/world.ts'

crashStories({
  rebuild: {
    saga: 'rebuild',
    begin: act({ rebuild: { imageRef: tiny } }),
    ends: 'ACTIVE',
    fails: 'ACTIVE',
    undone: true,
  },
  rescue: { saga: 'rescue', begin: act({ rescue: null }), ends: 'RESCUE', fails: 'ACTIVE', undone: true },
  unrescue: {
    saga: 'unrescue',
    prepare: [{ rescue: null }],
    begin: act({ unrescue: null }),
    ends: 'ACTIVE',
    fails: 'RESCUE',
  },
})
