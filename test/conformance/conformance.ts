/** `npm run conformance -- MODE`: suites that we did not write, against a cloud started as a user starts it. */
import { parseArgs } from 'node:util'
import { messageOf } from '../../src/kernel/errors.ts'
import { tempestMode } from './tempest/mode.ts'

const usage = `npm run conformance -- tempest [--list NAME,NAME] [--workers N] [--minutes N] [--keep DIR]
  NAME   smoke, interop, all, an area such as api.identity, or something below one (api.identity.v3.test_tokens)
  DIR    where to leave Tempest's log and each failure`

const say = (line: string) => console.log(line)

async function main(words: string[]): Promise<boolean> {
  const { values, positionals } = parseArgs({
    args: words,
    allowPositionals: true,
    options: {
      list: { type: 'string', default: 'smoke' },
      workers: { type: 'string', default: '2' },
      minutes: { type: 'string', default: '60' },
      keep: { type: 'string' },
    },
  })
  const [mode] = positionals
  if (mode !== 'tempest') throw new Error(`say what to run:\n${usage}`)
  return await tempestMode({
    lists: values.list.split(','),
    workers: Number(values.workers),
    minutes: Number(values.minutes),
    keep: values.keep,
    write: true,
    say,
  })
}

try {
  process.exitCode = (await main(process.argv.slice(2))) ? 0 : 1
} catch (error) {
  console.error(messageOf(error))
  process.exitCode = 2
}
