/** Onto the shelf and back, at every step. */
import { act, crashStories } from '../fixtures/crash-stories.ts'

crashStories({
  shelve: { saga: 'shelve', begin: act({ shelve: null }), ends: 'SHELVED_OFFLOADED', fails: 'ACTIVE', undone: true },
  unshelve: {
    saga: 'unshelve',
    prepare: [{ shelve: null }],
    begin: act({ unshelve: null }),
    ends: 'ACTIVE',
    fails: 'SHELVED_OFFLOADED',
    undone: true,
  },
  offload: { saga: 'shelveOffload', begin: act({ shelve: null }), ends: 'SHELVED_OFFLOADED', fails: 'SHELVED' },
})
