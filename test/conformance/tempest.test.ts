/** Tempest's smoke tests and every area that is finished, judged against the list of known failures. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { absentPrograms, conformance } from './command.ts'

const lists = ['smoke', 'interop', 'api.identity', 'api.image', 'api.network', 'api.compute']

test(`Tempest: ${lists.join(', ')}`, { skip: absentPrograms([]), timeout: 900_000 }, async () => {
  const { code, out } = await conformance(['tempest', '--list', lists.join(','), '--minutes', '14', '--dry'])
  const telling = out.split('\n').filter(line => !/^(passed|skipped|failed) /.test(line))
  assert.equal(code, 0, telling.slice(-60).join('\n'))
})
