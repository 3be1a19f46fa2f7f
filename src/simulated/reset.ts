/** Make the cloud what it was when it was ready. */
import { controlOperation } from './control-operation.ts'

export const reset = controlOperation({
  id: 'simulated.cloud.reset',
  method: 'POST',
  path: '/reset',
  summary: 'Make the cloud what it was when it was ready',
  async handle(controls) {
    await controls.reset()
    return undefined
  },
})
