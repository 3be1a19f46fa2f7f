/** What an operator reads while a host is drained. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { newLines } from './host-maintenance.ts'

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
