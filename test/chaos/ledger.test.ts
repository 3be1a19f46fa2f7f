/** What the ledger calls lost, and what it lets pass because nobody can know. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Request } from '../simulation/clients.ts'
import { newLedger } from './ledger.ts'

const path = '/compute/v2.1/servers'
const creation: Request = { method: 'POST', path, body: { server: { name: 'a' } }, makes: 'server' }
const renaming = (name: string): Request => ({ method: 'PUT', path: `${path}/s1`, body: { server: { name } } })
const deletion: Request = { method: 'DELETE', path: `${path}/s1`, removes: ['server', 's1'] }

function withExchange() {
  const ledger = newLedger()
  function exchange(request: Request, status: number, body?: unknown) {
    ledger.sent(request)
    return ledger.answered(request, status, body)
  }
  return { ledger, exchange }
}

/** A ledger with a server, and what it says when the server's name is `name`, or when there is none. */
function withServer() {
  const { ledger, exchange } = withExchange()
  exchange(creation, 202, { server: { id: 's1' } })
  const says = (name?: string) =>
    ledger.problems('server', name === undefined ? [] : [{ id: 's1', name }]).map(({ invariant }) => invariant)
  return { ledger, exchange, says }
}

test('what was accepted must be there until its deletion is asked for, and gone once that is answered', () => {
  const { ledger, exchange, says } = withServer()
  assert.deepEqual(says(), ['what was accepted is there'])
  assert.deepEqual(says('a'), [])
  ledger.sent(deletion)
  assert.deepEqual([says(), says('a')], [[], []])
  ledger.answered(deletion, 409, undefined)
  assert.deepEqual(says(), ['what was accepted is there'])
  exchange(deletion, 204)
  assert.deepEqual([says(), says('a')], [[], ['what was deleted is gone']])
})

test('a change that was accepted must stay; one that was refused changes nothing', () => {
  const { exchange, says } = withServer()
  exchange(renaming('b'), 200)
  exchange(renaming('c'), 409)
  assert.deepEqual([says('b'), says('a')], [[], ['a change that was accepted stays']])
})

test('of changes at once, or one without an answer, nobody knows the last', () => {
  for (const status of [200, 0]) {
    const { ledger, exchange, says } = withServer()
    exchange(renaming('b'), 200)
    const [one, other] = [renaming('c'), renaming('d')]
    ledger.sent(one)
    if (status === 200) exchange(other, 200)
    ledger.answered(one, status, undefined)
    assert.deepEqual([says('c'), says('d')], [[], []])
  }
})

test('a rule goes with its security group, and with the one it lets in', () => {
  for (const group of ['g1', 'g2']) {
    const { ledger, exchange } = withExchange()
    const make = (security_group_rule: object): Request => ({
      ...{ method: 'POST', path: '/network/v2.0/security-group-rules', makes: 'security_group_rule' },
      body: { security_group_rule },
    })
    for (const id of ['g1', 'g2'])
      exchange({ method: 'POST', path: '/network/v2.0/security-groups', makes: 'security_group' }, 201, {
        security_group: { id },
      })
    exchange(make({ security_group_id: 'g1', remote_group_id: 'g2' }), 201, { security_group_rule: { id: 'r1' } })
    assert.equal(ledger.problems('security_group_rule', []).length, 1)
    exchange(
      { method: 'DELETE', path: `/network/v2.0/security-groups/${group}`, removes: ['security_group', group] },
      204,
    )
    assert.deepEqual(ledger.problems('security_group_rule', []), [], group)
  }
})
