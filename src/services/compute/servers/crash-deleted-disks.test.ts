/** A deletion that keeps the disk, at every step. */
import { crashStories } from './fixtures/crash-stories.ts'

crashStories({
  'delete that keeps the disk': {
    saga: 'delete',
    set: ['compute.deleted_disks.hours=1', 'compute.deleted_disks.always=true'],
    begin: (cloud, who, id) => cloud.api(who, 'DELETE', `/servers/${id}`),
    ends: 'gone',
    fails: 'ERROR',
  },
})
