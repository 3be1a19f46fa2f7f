/** The clock of a simulated cloud: look at it, freeze it, let it run at a speed, move it. */
import { Type } from '#kernel/schema/builders.ts'
import { controlOperation } from './control-operation.ts'

const state = {
  now: Type.String(),
  frozen: Type.Boolean(),
  speed: Type.Number(),
  timers: Type.Integer(),
}

const response = Type.Object({ clock: Type.Object(state) })

/** A month: timers of every host are fired one by one on the way. */
const mostSeconds = 31 * 86_400

const duration = (description: string) => Type.Number({ minimum: 0, maximum: mostSeconds, description })

const show = controlOperation({
  id: 'simulated.clock.show',
  method: 'GET',
  path: '/clock',
  summary: 'Show what time it is in the cloud',
  response,
  handle: async controls => ({ clock: await controls.clock.show() }),
})

const freeze = controlOperation({
  id: 'simulated.clock.freeze',
  method: 'POST',
  path: '/clock/freeze',
  summary: 'Let time stand still',
  response,
  handle: async controls => ({ clock: await controls.clock.freeze() }),
})

const run = controlOperation({
  id: 'simulated.clock.run',
  method: 'POST',
  path: '/clock/run',
  summary: 'Let time pass, as fast as outside or so many times as fast',
  request: Type.Object(
    { speed: Type.Optional(Type.Number({ exclusiveMinimum: 0, maximum: 100_000 })) },
    { additionalProperties: false },
  ),
  response,
  handle: async (controls, { body }) => ({ clock: await controls.clock.run(body.speed) }),
})

const advance = controlOperation({
  id: 'simulated.clock.advance',
  method: 'POST',
  path: '/clock/advance',
  summary: 'Move time forward, and do all that is due until then',
  request: Type.Object({ seconds: duration('How far.') }, { additionalProperties: false }),
  response,
  handle: async (controls, { body }) => ({ clock: await controls.clock.advance(body.seconds) }),
})

const runUntilIdle = controlOperation({
  id: 'simulated.clock.run-until-idle',
  method: 'POST',
  path: '/clock/run-until-idle',
  summary: 'Move time forward until no work is under way',
  request: Type.Object(
    { limit_seconds: Type.Optional(duration('How far at most; by default an hour.')) },
    { additionalProperties: false },
  ),
  response: Type.Object({ clock: Type.Object({ ...state, idle: Type.Boolean() }) }),
  handle: async (controls, { body }) => ({ clock: await controls.clock.runUntilIdle(body.limit_seconds) }),
})

export const clockOperations = [show, freeze, run, advance, runUntilIdle]
