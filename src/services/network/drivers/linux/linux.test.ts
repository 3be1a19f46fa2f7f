/** The Linux plane keeps the contract, on a real kernel. */
import assert from 'node:assert/strict'
import { planeContract } from '../driver.contract.ts'
import { inLab, planeIn, takeDown } from './lab.ts'

await inLab(import.meta.url, 'the Linux plane on a real kernel', () => {
  planeContract('linux', async () => {
    let plane = planeIn('contract')
    const first = plane
    return {
      plane: first,
      async restart() {
        await plane[Symbol.asyncDispose]()
        plane = planeIn('contract')
        return plane
      },
      async [Symbol.asyncDispose]() {
        assert.deepEqual(await takeDown(plane, 'contract'), [])
      },
    }
  })
})
