/** Moves of servers with CPUs of their own at every step: each CPU is one server's, and the guest runs on those that are its server's. */
import { act, crashStories } from '../fixtures/crash-stories.ts'

const resize = { resize: { flavorRef: 'pinned2' } }

crashStories({
  'resize of a pinned server': {
    saga: 'resize',
    pinned: true,
    begin: act(resize),
    ends: 'VERIFY_RESIZE',
    fails: 'ACTIVE',
    undone: true,
  },
  'live migration of a pinned server': {
    saga: 'live-migration',
    pinned: true,
    begin: act({ 'os-migrateLive': { host: null, block_migration: 'auto' } }),
    ends: 'ACTIVE',
    fails: 'ACTIVE',
    undone: true,
    admin: true,
  },
})
