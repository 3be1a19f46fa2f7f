/** What a driver chooses: it is asked while no transaction is open, and made sure of in the one that claims. */
import { inTime } from '#kernel/clock.ts'
import type { Ctx } from '#kernel/context.ts'
import { recheck } from '../hosts/steps.ts'
import type { Deciding } from '../scheduler/decide.ts'
import { choiceMs, type Driver, DriverAway } from '../scheduler/extensions.ts'
import { type HostState, passing, type Schedule, type ScheduleRequest } from '../scheduler/scheduler.ts'
import { decideSeveral } from '../scheduler/several.ts'

/** How long a driver that is away is waited for. */
export interface Patience {
  ms: number
  signal: AbortSignal
}

interface Asked {
  wish: ScheduleRequest
  options: Deciding
  patience?: Patience | undefined
}

/** What it said of one server: names of hosts, since the hosts themselves are read anew. */
type Advice = Omit<Schedule, 'best'> & { best: string[] }

const pauseMs = 1000
/** How often it is asked, since all that it chose may be down or taken: each time the transaction begins anew. */
const mostAsks = 8
const takenAgain = {
  filter: 'SchedulerDriver',
  asked: 'a host that the driver chooses',
  had: 'what it chose was taken',
}

/** Gives the best of the hosts for one server after another; how many are still to come is said each time. */
export function drivenChoices(ctx: Ctx, asked: Asked & { options: { driver: Driver } }) {
  const { wish, options } = asked
  const advised: Advice[] = []
  let asks = 0
  return async (hosts: readonly HostState[], count: number): Promise<Schedule> => {
    for (let left = hosts; ; ) {
      if (advised.length === 0) {
        if (asks++ === mostAsks) return { best: [], refused: left.map(({ host }) => ({ host, ...takenAgain })) }
        advised.push(...(await ctx.outside(() => adviceFrom(ctx, asked, left, count))))
      }
      const { best: names, refused, away } = advised.shift()!
      const named = names.flatMap(name => left.find(({ host }) => host === name) ?? [])
      const { passed, refused: since } = passing(wish, await recheck(ctx, named), options)
      if (passed.length > 0 || names.length === 0)
        return { best: passed, refused: [...refused, ...since], ...(away && { away }) }
      left = left.filter(host => !named.includes(host))
      // What it said of those to come was said of the same hosts.
      advised.length = 0
    }
  }
}

async function adviceFrom(
  { clock }: Ctx,
  { wish, options, patience }: Parameters<typeof drivenChoices>[1],
  hosts: readonly HostState[],
  count: number,
): Promise<Advice[]> {
  const { driver } = options
  const late = () => new DriverAway(`nothing was chosen within ${choiceMs / 1000} seconds`)
  const choose: Driver['choose'] = (...args) => inTime(clock, choiceMs, (async () => driver.choose(...args))(), late)
  const until = clock.now() + (patience?.ms ?? 0)
  for (;;) {
    const decided = await decideSeveral(wish, hosts, { ...options, driver: { ...driver, choose } }, count)
    const left = until - clock.now()
    if (!decided.at(-1)?.away || left <= 0)
      return decided.map(one => ({ ...one, best: one.best.map(({ host }) => host) }))
    await clock.sleep(Math.min(pauseMs, left), patience?.signal)
  }
}
