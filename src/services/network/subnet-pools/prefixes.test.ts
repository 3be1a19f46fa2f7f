/** Finding room in pools. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { formatCidr } from '../addresses.ts'
import { cidrsOf, freeSubnet, gaps, joined, rangesOf, within } from './prefixes.ts'

const shown = (ranges: ReturnType<typeof joined>) => ranges.flatMap(cidrsOf).map(formatCidr)

test('ranges are joined and written as the fewest subnets', () => {
  assert.deepEqual(shown(joined(rangesOf(['10.0.1.0/24', '10.0.0.0/24', '10.0.0.128/25']))), ['10.0.0.0/23'])
  assert.deepEqual(shown(joined(rangesOf(['10.0.1.0/24', '10.0.2.0/24']))), ['10.0.1.0/24', '10.0.2.0/24'])
  assert.deepEqual(shown(joined(rangesOf(['::/0']))), ['::/0'])
})

test('what is taken leaves gaps', () => {
  const left = gaps(rangesOf(['10.0.0.0/24']), rangesOf(['10.0.0.0/26', '10.0.0.128/32']))
  assert.deepEqual(shown(left).slice(0, 2), ['10.0.0.64/26', '10.0.0.129/32'])
  assert.deepEqual(gaps(rangesOf(['10.0.0.0/24']), rangesOf(['10.0.0.0/8'])), [])
})

test('the first free subnet that fits is found, or none', () => {
  const pool = rangesOf(['10.0.0.0/24', '10.2.0.0/16'])
  const next = (taken: string[], prefix: number) => {
    const found = freeSubnet(pool, rangesOf(taken), prefix)
    return found && formatCidr(found)
  }
  assert.equal(next([], 26), '10.0.0.0/26')
  assert.equal(next(['10.0.0.0/27'], 26), '10.0.0.64/26')
  assert.equal(next(['10.0.0.0/27'], 24), '10.2.0.0/24')
  assert.equal(next([], 15), undefined)
  assert.equal(within(pool, rangesOf(['10.2.5.0/24'])[0]!), true)
  assert.equal(within(pool, rangesOf(['10.0.0.0/23'])[0]!), false)
})
