/** What every bus must do. Each implementation runs it in its own test file. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { BadRequest, Fault, NotFound, TooManyRequests } from '../errors.ts'
import type { RequestFacts } from '../request-facts.ts'
import { type Bus, BusClosed, CallTimeout, maxPayloadBytes, NoResponder, OversizedPayload, RemoteError } from './bus.ts'
import { methodsStory } from './methods.contract.ts'

export interface BusPair extends AsyncDisposable {
  /** Two ends of one bus: may be the same object. */
  near: Bus
  far: Bus
  /** Lets this much time pass on the bus's clock. */
  advance(ms: number): Promise<void>
}

/** Resolves when `tell` was called, with what it was told. */
function told<T>(): { tell: (value: T) => void; value: Promise<T> } {
  const { promise, resolve } = Promise.withResolvers<T>()
  return { tell: resolve, value: promise }
}

const patient = { timeoutMs: 20_000 }

export function busContract(name: string, open: () => Promise<BusPair>): void {
  const story = (title: string, tell: (pair: BusPair) => Promise<void>) =>
    test(`${name}: ${title}`, async () => {
      await using pair = await open()
      await tell(pair)
    })

  story('a call gets its answer, and each side its own copy', async ({ near, far }) => {
    const kept: { items: number[] }[] = []
    far.serve('math.sum', payload => {
      const input = payload as { items: number[] }
      kept.push(input)
      return { sum: input.items.reduce((a, b) => a + b, 0), input, nothing: undefined, when: new Date(0) }
    })
    await far.flush()
    const input = { items: [1, 2, 3] }
    const answer = (await near.call('math.sum', input, patient)) as Record<string, unknown>
    assert.deepEqual(answer, { sum: 6, input: { items: [1, 2, 3] }, when: '1970-01-01T00:00:00.000Z' })
    assert.notEqual(kept[0], input)
    assert.notEqual(answer.input, kept[0])
  })

  story('nothing goes over as nothing', async ({ near, far }) => {
    far.serve('echo', payload => (payload === null ? undefined : payload))
    await far.flush()
    assert.equal(await near.call('echo', undefined, patient), undefined)
    assert.equal(await near.call('echo', 0, patient), 0)
    assert.equal(await near.call('echo', 'ü\n"', patient), 'ü\n"')
  })

  story('handlers learn the facts of the request, and no more of who calls', async ({ near, far }) => {
    far.serve('who', (_, { request }) => request ?? 'nobody')
    await far.flush()
    const asked = (request: RequestFacts) => near.call('who', {}, { ...patient, request })
    assert.deepEqual(await asked({ requestId: 'req-1' }), { requestId: 'req-1' })
    const facts = { requestId: 'req-1', globalRequestId: 'req-0', clientTag: 'nightly' }
    const whole = { ...facts, identity: 'secret' }
    assert.deepEqual(await asked(whole), facts)
    assert.equal(await near.call('who', {}, patient), 'nobody')
  })

  story(
    'a fault arrives as the same class; anything else as a remote error without its stack',
    async ({ near, far }) => {
      const faults: Record<string, () => unknown> = {
        missing: () =>
          new NotFound('Server x could not be found.', { type: 'ServerNotFound', cause: new Error('hidden') }),
        slow: () => new TooManyRequests('Slower.', 7),
        own: () => new (class Odd extends Fault {})(418, 'Teapot', 'I am one.', { extra: { detail: 'short' } }),
        bug: () => new TypeError('x is not a function'),
        text: () => 'just text',
        vast: () => new NotFound('Gone.', { extra: { list: 'x'.repeat(maxPayloadBytes) } }),
        circular: () => {
          const extra: Record<string, unknown> = {}
          extra.self = extra
          return new NotFound('Round.', { extra })
        },
      }
      far.serve('fail', payload => {
        throw faults[String(payload)]!()
      })
      await far.flush()
      const failure = (which: string) =>
        near.call('fail', which, patient).then(
          () => assert.fail('it answered'),
          (error: Error) => error,
        )
      const missing = await failure('missing')
      assert.ok(missing instanceof NotFound && !(missing instanceof BadRequest))
      assert.deepEqual(
        [missing.status, missing.message, missing.type, missing.cause, missing.name],
        [404, 'Server x could not be found.', 'ServerNotFound', undefined, 'NotFound'],
      )
      const slow = await failure('slow')
      assert.ok(slow instanceof TooManyRequests)
      assert.deepEqual(slow.headers, { 'retry-after': '7' })
      const own = await failure('own')
      assert.ok(own instanceof Fault)
      assert.deepEqual([own.name, own.status, own.extra], ['Odd', 418, { detail: 'short' }])
      const bug = await failure('bug')
      assert.ok(bug instanceof RemoteError && !(bug instanceof Fault))
      assert.deepEqual([bug.name, bug.message], ['TypeError', 'x is not a function'])
      assert.doesNotMatch(bug.stack ?? '', /bus\.contract\.ts.*faults/)
      assert.equal((await failure('text')).message, 'just text')
      for (const [which, message] of [
        ['vast', 'Gone.'],
        ['circular', 'Round.'],
      ] as const) {
        const bare = await failure(which)
        assert.ok(bare instanceof NotFound)
        assert.deepEqual([bare.message, bare.extra], [message, {}])
      }
    },
  )

  story('nobody there is told at once; a stopped server is nobody', async ({ near, far }) => {
    await assert.rejects(near.call('no.one', {}, patient), NoResponder)
    const server = far.serve('some.one', () => 'here')
    await far.flush()
    assert.equal(await near.call('some.one', {}, patient), 'here')
    await server[Symbol.asyncDispose]()
    await assert.rejects(near.call('some.one', {}, patient), NoResponder)
  })

  story('a late answer is a timeout, and the handler is told to stop', async ({ near, far, advance }) => {
    const started = told<void>()
    const stopped = told<boolean>()
    far.serve('slow', (_, { signal }) => {
      signal.addEventListener('abort', () => stopped.tell(signal.aborted))
      started.tell()
      return stopped.value
    })
    await far.flush()
    const call = assert.rejects(near.call('slow', {}, { timeoutMs: 300 }), (error: Error) => {
      assert.ok(error instanceof CallTimeout)
      assert.equal(error.message, 'No answer on slow within 300 ms.')
      return true
    })
    await started.value
    await advance(400)
    await call
    assert.equal(await stopped.value, true)
  })

  story('a caller that gives up rejects with its reason, and the handler is told to stop', async ({ near, far }) => {
    const started = told<void>()
    const stopped = told<boolean>()
    far.serve('slow', (_, { signal }) => {
      signal.addEventListener('abort', () => stopped.tell(true))
      started.tell()
      return stopped.value
    })
    await far.flush()
    const controller = new AbortController()
    const call = near.call('slow', {}, { ...patient, signal: controller.signal })
    const rejected = assert.rejects(call, /enough/)
    await started.value
    controller.abort(new Error('enough'))
    await rejected
    assert.equal(await stopped.value, true)
    await assert.rejects(near.call('slow', {}, { ...patient, signal: controller.signal }), /enough/)
  })

  story('stopping a server waits for the calls that run', async ({ near, far }) => {
    const started = told<void>()
    const release = told<string>()
    const server = far.serve('work', () => {
      started.tell()
      return release.value
    })
    await far.flush()
    const call = near.call('work', {}, patient)
    await started.value
    const stopped = server[Symbol.asyncDispose]()
    release.tell('done')
    await stopped
    assert.equal(await call, 'done')
  })

  story('where several serve a subject, one gets each call', async ({ near, far }) => {
    const got: number[] = []
    for (const id of [1, 2]) far.serve('shared', () => got.push(id))
    await far.flush()
    for (let n = 0; n < 10; n++) await near.call('shared', n, patient)
    assert.equal(got.length, 10)
  })

  story(
    'what is published reaches all that match, in order, and never the publisher in the same breath',
    async pair => {
      const { near, far } = pair
      const heard: string[] = []
      const end = told<void>()
      for (const pattern of ['hosts.*.up', 'hosts.>', '>', 'hosts.a.up', 'hosts.*', 'host.>']) {
        far.subscribe(pattern, (payload, subject) => {
          if (subject === 'end' && pattern === '>') end.tell()
          if (subject !== 'end') heard.push(`${pattern} ${subject} ${(payload as { n: number }).n}`)
        })
      }
      await far.flush()
      near.publish('hosts.a.up', { n: 1 })
      near.publish('hosts.b.up', { n: 2 })
      near.publish('hosts.a', { n: 3 })
      near.publish('hosts', { n: 4 })
      near.publish('end', {})
      assert.equal(heard.length, 0)
      await end.value
      assert.deepEqual(
        heard.filter(line => line.startsWith('hosts.> ')).map(line => line.slice(8)),
        ['hosts.a.up 1', 'hosts.b.up 2', 'hosts.a 3'],
      )
      assert.deepEqual(
        heard.filter(line => !line.startsWith('hosts.> ')).sort(),
        [
          '> hosts 4',
          '> hosts.a 3',
          '> hosts.a.up 1',
          '> hosts.b.up 2',
          'hosts.* hosts.a 3',
          'hosts.*.up hosts.a.up 1',
          'hosts.*.up hosts.b.up 2',
          'hosts.a.up hosts.a.up 1',
        ].sort(),
      )
    },
  )

  story('a listener that fails or left does not hinder the others', async ({ near, far }) => {
    const heard = told<unknown>()
    far.subscribe('news', () => {
      throw new Error('deaf')
    })
    const left = far.subscribe('news', () => assert.fail('this listener left'))
    far.subscribe('news', payload => heard.tell(payload))
    await left[Symbol.asyncDispose]()
    await far.flush()
    near.publish('news', 'hello')
    assert.equal(await heard.value, 'hello')
  })

  story('payloads over 8 MB are refused, both ways; large ones under it pass', async ({ near, far }) => {
    const text = (size: number) => 'x'.repeat(size)
    far.serve('echo', payload => payload)
    far.serve('blow', () => text(maxPayloadBytes))
    await far.flush()
    await assert.rejects(near.call('echo', text(maxPayloadBytes), patient), OversizedPayload)
    await assert.rejects(near.call('echo', 'ü'.repeat(maxPayloadBytes / 2), patient), OversizedPayload)
    assert.throws(() => near.publish('echo', text(maxPayloadBytes)), OversizedPayload)
    await assert.rejects(near.call('blow', {}, patient), { name: 'OversizedPayload' })
    const large = maxPayloadBytes - 4096
    assert.equal(((await near.call('echo', text(large), patient)) as string).length, large)
  })

  story('subjects are checked', async ({ near }) => {
    for (const subject of ['', 'a b', 'a..b', '.a', 'a.*', 'a.>', 'a.']) {
      await assert.rejects(near.call(subject, {}, patient), /is no subject/)
      assert.throws(() => near.serve(subject, () => 1), /is no subject/)
    }
    for (const pattern of ['', 'a.>.b', 'a*', 'a..>', 'a.b>']) {
      assert.throws(() => near.subscribe(pattern, () => 1), /is no pattern/)
    }
  })

  story('a closed bus lets nobody wait', async ({ near, far }) => {
    const started = told<void>()
    far.serve('hang', () => {
      started.tell()
      return new Promise(() => {})
    })
    await far.flush()
    const call = assert.rejects(near.call('hang', {}, patient), BusClosed)
    await started.value
    await near[Symbol.asyncDispose]()
    await call
    await assert.rejects(near.call('hang', {}, patient), BusClosed)
    assert.throws(() => near.publish('news', {}), BusClosed)
  })

  story('methods: typed, versioned, with a deadline', methodsStory)
}
