/** Errors that whoever runs the command can mend: a sentence for them, in place of a stack. */
import { DatabaseOutage } from '#kernel/db/outage.ts'

const ours = ['StartError', 'InstallError', 'ConfigError']

const diskCodes: Record<string, string> = {
  ENOSPC: 'the disk is full: make room, then run this again',
  EDQUOT: 'the disk quota is used up: make room, then run this again',
  EROFS: 'the disk is read-only: mount it writable, or give another --data',
}

/** SQLite's result codes. */
const databaseCodes: Record<number, string> = {
  8: 'the database cannot be written (its file or disk is read-only): mend that, or give another --data',
  10: 'the disk of the database fails: look at the log of the system',
  13: diskCodes.ENOSPC!,
}

/** Undefined for what is a bug and has to show where. */
export function plainWords(error: unknown): string | undefined {
  if (!(error instanceof Error)) return undefined
  // What went wrong first; clearing up after it failed as well, as it does on a broken disk.
  if (error instanceof SuppressedError) return plainWords(error.suppressed)
  if (error instanceof DatabaseOutage) return plainWords(error.cause)
  if (ours.includes(error.constructor.name)) return error.message
  const { code = '', errcode } = error as { code?: string; errcode?: number }
  return diskCodes[code] ?? (errcode === undefined ? undefined : databaseCodes[errcode & 0xff])
}
