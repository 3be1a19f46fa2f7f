/** What upstream calls the events of servers in each format. */

/** Where the versioned name is not that of the old format with its dots. */
const versionedStems: Record<string, string> = {
  'resize.prep': 'resize_prep',
  finish_resize: 'resize_finish',
  'resize.confirm': 'resize_confirm',
  'resize.revert': 'resize_revert',
  'rebuild.scheduled': 'rebuild_scheduled',
  'live_migration.pre': 'live_migration_pre',
  'live_migration._post': 'live_migration_post',
  'live_migration.post.dest': 'live_migration_post_dest',
  'live_migration._rollback': 'live_migration_rollback',
  'live_migration.rollback.dest': 'live_migration_rollback_dest',
  'live.migration.abort': 'live_migration_abort',
  'live.migration.force.complete': 'live_migration_force_complete',
}

/** Told once in the old format, at their end. */
const oldOnce: Record<string, string> = { 'volume_attach.end': 'volume.attach', 'volume_detach.end': 'volume.detach' }
/** Of these the old format knows nothing. */
const versionedOnly = [
  'interface_attach',
  'interface_detach',
  'lock',
  'unlock',
  'trigger_crash_dump',
  'volume_attach',
  'volume_detach',
  'volume_swap',
]
/** Our own: no versioned notification has these names. */
const unversionedOnly = ['inject_network_info', 'change_password', 'software']

/** Done by the API itself, not on a host. */
const ofTheApi = ['lock', 'unlock', 'evacuate', 'update']

export interface Names {
  /** `pause` */
  action: string
  unversioned: string | undefined
  versioned: string | undefined
  source: 'api' | 'compute'
}

/** Of `pause.start`, without what all events of servers begin with. */
export function namesOf(stem: string): Names {
  const [, action = stem, phase = ''] = /^(.*?)(\.(?:start|end|error))?$/.exec(stem) ?? []
  const versioned = `${versionedStems[action] ?? action}${phase}`
  return {
    action,
    unversioned: oldName(stem, action),
    versioned: unversionedOnly.includes(action) ? undefined : `instance.${versioned}`,
    source: ofTheApi.includes(action) ? 'api' : 'compute',
  }
}

function oldName(stem: string, action: string): string | undefined {
  if (Object.hasOwn(oldOnce, stem)) return `compute.instance.${oldOnce[stem]}`
  return versionedOnly.includes(action) ? undefined : `compute.instance.${stem}`
}
