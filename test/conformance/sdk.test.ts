/** openstacksdk's own functional tests, judged against the list of known failures. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { absentPrograms, conformance } from './command.ts'

test("openstacksdk's own tests", { skip: absentPrograms([]), timeout: 600_000 }, async () => {
  const { code, out } = await conformance(['sdk', '--minutes', '9', '--dry'])
  const telling = out.split('\n').filter(line => !/^(passed|skipped|failed) /.test(line))
  assert.equal(code, 0, telling.slice(-60).join('\n'))
})
