/** The controls as a service of their own below `/_nephos`: in a simulated cloud only, and in no catalog. */
import { type FaultShape, type Service, service } from '#kernel/service.ts'
import { callOperations } from './call-operations.ts'
import { clockOperations } from './clock-operations.ts'
import { type Controls, controlsPath } from './controls.ts'
import { faultOperations } from './fault-operations.ts'
import { hostOperations } from './host-operations.ts'
import { wholeOperations } from './whole-operations.ts'

declare module '#kernel/context.ts' {
  interface Contracts {
    /** There in a simulated cloud only. */
    simulated: Controls
  }
}

const faults: FaultShape = fault => ({
  body: { error: { code: fault.status, title: fault.title, message: fault.message } },
})

export const controlOperations = [
  ...[...clockOperations, ...faultOperations, ...hostOperations],
  ...[...callOperations, ...wholeOperations],
]

export function controlService(controls: Controls): Service {
  return service({
    type: 'simulated',
    name: 'nephos',
    path: controlsPath,
    unlisted: true,
    operations: controlOperations,
    faults,
    contract: controls,
  })
}
