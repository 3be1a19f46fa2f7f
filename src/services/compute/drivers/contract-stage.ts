/** Where the contract of virt drivers is played: a driver, its guests, and what is asked of them again and again. */
import assert from 'node:assert/strict'
import { after, before } from 'node:test'
import { systemClock } from '#kernel/clock.ts'
import { type GuestEvent, type GuestSpec, type PowerState, powerStates, type VirtDriver } from './driver.ts'

/** A driver, and the hands that a test needs beside it. */
export interface DriverUnderTest {
  driver: VirtDriver
  /** A small guest that boots, prints `bootText`, and obeys the power button. Each call gives a new id. */
  spec(overrides?: Partial<GuestSpec>): GuestSpec
  bootText: string
  /** Drops the driver as a crash of the control process would, and opens another over the same guests. */
  reopen(): Promise<VirtDriver>
  /** The guest dies (its process is killed). */
  crash(id: string): Promise<void>
  /** The guest switches itself off. */
  powerOff(id: string): Promise<void>
  /** What is left on the host of a guest that was destroyed: files, processes. Must be empty. */
  remains(id: string): Promise<string[]>
  close(): Promise<void>
}

const clock = systemClock()

/** Polls until `check` gives something truthy. */
export async function eventually<T>(what: string, check: () => T | Promise<T>, seconds = 60): Promise<NonNullable<T>> {
  for (const start = clock.monotonic(); ; ) {
    const value = await check()
    if (value) return value as NonNullable<T>
    if (clock.monotonic() - start > seconds * 1000) assert.fail(`${what} did not happen in ${seconds} s`)
    await clock.sleep(50)
  }
}

export type Stage = ReturnType<typeof stageOf>

/** For the stories of one `describe`: opened before them, closed after them. */
export function stageOf(open: () => Promise<DriverUnderTest>) {
  const events: GuestEvent[] = []
  const bootsTimes = (spec: GuestSpec, times: number) =>
    eventually(`boot ${times} of ${spec.id}`, async () => {
      return (await at.driver.consoleLog(spec.id)).split(at.host.bootText).length - 1 === times
    })
  const at = {
    /** From `before` on. */
    host: undefined as never as DriverUnderTest,
    driver: undefined as never as VirtDriver,
    /** As a crash of the control process would. */
    async reopen() {
      at.driver = await at.host.reopen()
      at.driver.onEvent(event => events.push(event))
    },
    bootsTimes,
    eventsOf: (id: string) => events.filter(event => event.id === id).map(event => event.power_state),
    async booted(overrides?: Partial<GuestSpec>): Promise<GuestSpec> {
      const spec = at.host.spec(overrides)
      await at.driver.spawn(spec, { power_on: true })
      await bootsTimes(spec, 1)
      return spec
    },
    async gone(id: string) {
      await at.driver.destroy(id)
      assert.equal(await at.driver.state(id), powerStates.nostate)
      assert.equal(
        (await at.driver.list()).some(guest => guest.id === id),
        false,
      )
      assert.deepEqual(await at.host.remains(id), [])
    },
    expectState: async (id: string, state: PowerState) => assert.equal(await at.driver.state(id), state),
  }
  before(async () => {
    at.host = await open()
    at.driver = at.host.driver
    at.driver.onEvent(event => events.push(event))
    assert.deepEqual(await at.driver.recover(), [])
  })
  after(() => at.host.close())
  return at
}
