/** What typed methods must do over every bus: a story of the bus's contract. */
import assert from 'node:assert/strict'
import type { BusPair } from './bus.contract.ts'
import { CallTimeout } from './bus.ts'
import { client, serveMethods, UnsupportedVersion } from './methods.ts'

interface HostMethods {
  power(input: { server: string; on: boolean }): Promise<{ state: 'on' | 'off' }>
  wait(input: null): Promise<void>
}

const patient = { timeoutMs: 20_000 }

export async function methodsStory({ near, far, advance }: BusPair): Promise<void> {
  const release = Promise.withResolvers<void>()
  serveMethods<HostMethods>(far, 'compute.host.a', 2, {
    power: async ({ on }) => ({ state: on ? 'on' : 'off' }),
    wait: () => release.promise,
  })
  await far.flush()
  const host = client<HostMethods>(near, 'compute.host.a', { ...patient, version: 2 })
  const { state }: { state: 'on' | 'off' } = await host.call('power', { server: 's', on: true })
  assert.equal(state, 'on')
  // @ts-expect-error the input lacks a member
  await host.call('power', { server: 's' })
  const older = await host.call('power', { server: 's', on: false }, { version: 1 })
  assert.equal(older.state, 'off')

  await assert.rejects(host.call('power', { server: 's', on: true }, { version: 3 }), (error: Error) => {
    assert.ok(error instanceof UnsupportedVersion)
    assert.equal(error.message, 'power was asked for at version 3, but compute.host.a serves version 2.')
    return true
  })
  const newer = client<HostMethods & { toString(input: null): Promise<null> }>(near, 'compute.host.a', {
    ...patient,
    version: 2,
  })
  await assert.rejects(newer.call('toString', null), /toString .* version 2, .* and has no such method/)

  const late = assert.rejects(host.call('wait', null, { deadline: near.clock.now() + 300 }), CallTimeout)
  await advance(400)
  await late
  await assert.rejects(host.call('wait', null, { deadline: near.clock.now() - 1 }), CallTimeout)
  release.resolve()
}
