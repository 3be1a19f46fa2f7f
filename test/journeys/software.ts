/** A server with software that is asked for, as its owner sees it: by requests, and by the real client. */
import assert from 'node:assert/strict'
import { call, login } from './http.ts'
import type { Stage } from './stage.ts'

interface Software {
  status: string
  message: string | null
  packages: { name: string; state: string; version: string | null; message: string | null }[]
}

/** Creates the server. */
export async function softwareOf(stage: Stage, server: Record<string, unknown>) {
  const token = await login(stage, 'nephos')
  const ask = async <T>(method: string, path: string, body?: object): Promise<T> => {
    const answer = await call<T>(stage, method, `/compute/v2.1/servers${path}`, token, body)
    assert.ok(answer && answer.status < 300, `${method} ${path}: ${JSON.stringify(answer)}`)
    return answer.body
  }
  const { id } = (await ask<{ server: { id: string } }>('POST', '', { server })).server
  const path = `/${id}/os-software`
  return {
    id,
    put: (software: object) => ask('PUT', path, { software }),
    /** Waits for the end of the run. */
    async ended(timeout: number) {
      const software = await stage.until(
        'the end of the run',
        async () => {
          const { software: now } = await ask<{ software: Software }>('GET', path)
          return ['done', 'failed'].includes(now.status) ? now : undefined
        },
        { timeout, every: 1000 },
      )
      return { ...software, states: software.packages.map(({ name, state, version }) => [name, state, version]) }
    },
    /** The newest action, as the client shows it. */
    async log(): Promise<string> {
      const version = ['--os-compute-api-version', '2.84']
      const listed = ['server', 'event', 'list', id]
      const [newest] = await stage.json<{ 'Request ID': string; Action: string }[]>([...version, ...listed])
      assert.equal(newest!.Action, 'software')
      return stage.os([...version, 'server', 'event', 'show', id, newest!['Request ID']])
    },
  }
}
