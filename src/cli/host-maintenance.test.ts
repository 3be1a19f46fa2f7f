/** What an operator reads while a host is drained. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { virtualClock } from '#kernel/clock.ts'
import type { AdminApi } from './admin-api.ts'
import { follow, newLines } from './host-maintenance.ts'

test('each server is told of when something is new of it', () => {
  const row = { server_id: 's1', state: 'waiting', act: null, to_host: null, reason: null } as const
  const about = { id: 'm', kind: 'drain', host: 'h1', state: 'running', problem: null, counts: {} }
  const told = new Map<string, string>()
  const lines = (...servers: Parameters<typeof newLines>[0]['servers']) => newLines({ ...about, servers }, told)
  assert.deepEqual(lines(row), [])
  assert.deepEqual(lines({ ...row, reason: 'it is busy with rebooting' }), ['s1  waiting (it is busy with rebooting)'])
  assert.deepEqual(lines({ ...row, state: 'going', act: 'live' }), ['s1  going live'])
  assert.deepEqual(lines({ ...row, state: 'going', act: 'live' }), [])
  assert.deepEqual(lines({ ...row, state: 'done', act: 'live', to_host: 'h2' }), ['s1  done live now on h2'])
})

test('a cloud that is restarted meanwhile is asked again; one that stays away is left', async () => {
  const server = { server_id: 's1', state: 'going', act: 'live', to_host: null, reason: null }
  const shown = (state: string, row: object = server) => ({
    status: 200,
    body: { maintenance: { state, servers: [row] } },
  })
  const away = new Error('fetch failed')
  async function followed(answers: (object | Error)[]) {
    const [clock, lines] = [virtualClock(), [] as string[]]
    const compute = async () => {
      const answer = answers.length > 1 ? answers.shift()! : answers[0]!
      if (answer instanceof Error) throw answer
      return answer
    }
    const following = follow({ compute } as Pick<AdminApi, 'compute'>, 'm1', { clock, say: line => lines.push(line) })
    let over = false
    const ended = () => {
      over = true
    }
    following.then(ended, ended)
    while (!over) await clock.advance(1000)
    return { code: await following, lines }
  }
  const done = { ...server, state: 'done', to_host: 'h2' }
  assert.deepEqual(await followed([shown('running'), away, away, { status: 503, body: {} }, shown('done', done)]), {
    code: 0,
    lines: [
      's1  going live',
      'the cloud does not answer (fetch failed): asking again',
      'the cloud does not answer (it answered 503): asking again',
      's1  done live now on h2',
      'done',
    ],
  })
  const left = await followed([shown('running'), away])
  assert.deepEqual(
    [left.code, left.lines.length, left.lines.at(-1)],
    [1, 3, 'nothing was heard for 5 minutes; maintenance m1 goes on when the cloud does'],
  )
})
