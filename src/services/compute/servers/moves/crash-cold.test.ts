/** Resize and cold migration at every step: the server is at its source or at its target, whole, with just what it needs of placement. */
import { act, crashStories } from '../fixtures/crash-stories.ts'

const resize = { resize: { flavorRef: '84' } }

crashStories({
  resize: {
    saga: 'resize',
    begin: act(resize),
    ends: 'VERIFY_RESIZE',
    fails: 'ACTIVE',
    undone: true,
    goes: ['target'],
  },
  migrate: {
    saga: 'migrate',
    begin: act({ migrate: null }),
    ends: 'VERIFY_RESIZE',
    fails: 'ACTIVE',
    undone: true,
    admin: true,
  },
  'revert resize': {
    saga: 'revertResize',
    prepare: [resize],
    begin: act({ revertResize: null }),
    ends: 'ACTIVE',
    fails: 'VERIFY_RESIZE',
  },
})
