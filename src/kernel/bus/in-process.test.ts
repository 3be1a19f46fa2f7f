import { settle, virtualClock } from '../clock.ts'
import { silentLog } from '../log.ts'
import { busContract } from './bus.contract.ts'
import { inProcessBus } from './in-process.ts'

busContract('in process', async () => {
  const clock = virtualClock()
  const bus = inProcessBus(clock, silentLog())
  return {
    near: bus,
    far: bus,
    advance: async ms => {
      await settle()
      await clock.advance(ms)
    },
    [Symbol.asyncDispose]: () => bus[Symbol.asyncDispose](),
  }
})
