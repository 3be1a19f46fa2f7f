/** What guests were told a moment ago. They ask for twenty documents in a second when they boot, and many boot at once. */
import { type Ctx, perCloud } from '#kernel/context.ts'
import { computeConfig } from '../config.ts'
import { findServer } from '../servers/store.ts'
import { factsOf, type GuestFacts } from './facts.ts'
import type { GuestAnswer } from './metadata.ts'

/** What is known for one server: good until the server changes, or the time is up. */
export interface Kept {
  /** Undefined when the server is gone. */
  facts(): Promise<GuestFacts | undefined>
  answer(path: string, make: (path: string) => Promise<GuestAnswer>): Promise<GuestAnswer>
  forget(): void
}

interface Entry extends Kept {
  /** The server's last change. */
  seen: string
  until: number
}

const mostServers = 2_000
/** A guest may ask for anything. */
const mostAnswers = 64
const entries = perCloud(() => new Map<string, Entry>())

/** `seen`: the last change of the server, read for this request. */
export function keptFor(ctx: Ctx, server_id: string, seen: string): Kept {
  const all = entries(ctx)
  const now = ctx.clock.now()
  const known = all.get(server_id)
  if (known && known.seen === seen && now < known.until) return known
  all.delete(server_id)
  if (all.size >= mostServers) all.delete(all.keys().next().value!)
  const fresh = entry(ctx, server_id, () => all.delete(server_id))
  const made = { ...fresh, seen, until: now + ctx.config.of(computeConfig).metadata_cache_seconds * 1000 }
  all.set(server_id, made)
  return made
}

function entry(ctx: Ctx, server_id: string, forget: () => void): Kept {
  let facts: Promise<GuestFacts | undefined> | undefined
  const answers = new Map<string, Promise<GuestAnswer>>()
  const dropping =
    <T>(drop: () => void) =>
    (error: unknown): Promise<T> => {
      drop()
      throw error
    }
  return {
    forget,
    facts() {
      facts ??= readFacts(ctx, server_id).catch(dropping(forget))
      return facts
    },
    answer(path, make) {
      const known = answers.get(path)
      if (known) return known
      const made = make(path).catch(dropping<GuestAnswer>(() => answers.delete(path)))
      if (answers.size < mostAnswers) answers.set(path, made)
      return made
    },
  }
}

/** Passwords are for the config drive alone, which nothing but the guest's own kernel reads. */
async function readFacts(ctx: Ctx, server_id: string): Promise<GuestFacts | undefined> {
  const server = await findServer(ctx, server_id)
  return server && { ...(await factsOf(ctx, server)), admin_password: null }
}
