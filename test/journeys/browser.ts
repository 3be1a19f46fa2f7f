/** Headless Chromium inside a stage's namespaces, driven over its debugging pipe. */
import { spawn } from 'node:child_process'
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Readable, Writable } from 'node:stream'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Stage } from './stage.ts'

export const missingBrowser = (): string | false => !existsSync('/usr/bin/chromium') && 'needs chromium'

interface Message {
  id?: number
  result?: Record<string, unknown>
  error?: { message: string }
}

export async function openBrowser({ inside }: Pick<Stage, 'inside'>) {
  const profile = mkdtempSync(join(tmpdir(), 'nephos-chromium-'))
  const flags = [
    '--headless',
    '--no-sandbox',
    '--disable-gpu',
    '--disable-quic',
    '--no-first-run',
    '--disable-background-networking',
    '--disable-component-update',
    '--disable-sync',
    '--window-size=900,700',
    '--remote-debugging-pipe',
    `--user-data-dir=${profile}`,
  ]
  const [file, argv] = inside('/usr/bin/chromium', flags)
  const child = spawn(file, argv, {
    stdio: ['ignore', 'ignore', 'ignore', 'pipe', 'pipe'],
    // One that is killed removes nothing of its own.
    env: { ...process.env, TMPDIR: profile },
  })
  const out = child.stdio[3] as Writable
  const into = child.stdio[4] as Readable
  const waiting = new Map<number, { done: (result: Record<string, unknown>) => void; fail: (error: Error) => void }>()
  let last = 0
  let buffer = ''
  into.on('data', chunk => {
    buffer += chunk
    for (let end = buffer.indexOf('\0'); end >= 0; end = buffer.indexOf('\0')) {
      const message = JSON.parse(buffer.slice(0, end)) as Message
      buffer = buffer.slice(end + 1)
      const asked = message.id === undefined ? undefined : waiting.get(message.id)
      if (message.error) asked?.fail(new Error(message.error.message))
      else asked?.done(message.result ?? {})
    }
  })

  function send(method: string, params: object = {}, sessionId?: string): Promise<Record<string, unknown>> {
    const id = ++last
    out.write(`${JSON.stringify({ id, method, params, ...(sessionId && { sessionId }) })}\0`)
    return new Promise((done, fail) => waiting.set(id, { done, fail }))
  }

  const { targetId } = await send('Target.createTarget', { url: 'about:blank' })
  const { sessionId } = (await send('Target.attachToTarget', { targetId, flatten: true })) as { sessionId: string }

  return {
    async open(url: string): Promise<void> {
      await send('Page.enable', {}, sessionId)
      await send('Page.navigate', { url }, sessionId)
    },
    /** The value of an expression in the page. */
    async value(expression: string): Promise<unknown> {
      const { result } = (await send(
        'Runtime.evaluate',
        { expression, returnByValue: true, awaitPromise: true },
        sessionId,
      )) as { result?: { value?: unknown } }
      return result?.value
    },
    /** Waits until an expression in the page is true. */
    async until(expression: string, timeout = 30_000): Promise<void> {
      const deadline = Date.now() + timeout
      while (!(await this.value(expression))) {
        if (Date.now() > deadline)
          throw new Error(
            `${expression} did not become true; the page says: ${await this.value('document.body.innerText')}`,
          )
        await sleep(200)
      }
    },
    async type(text: string): Promise<void> {
      for (const letter of text) {
        const enter = { key: 'Enter', code: 'Enter', windowsVirtualKeyCode: 13, text: '\r' }
        const key = letter === '\n' ? enter : { key: letter, text: letter }
        await send('Input.dispatchKeyEvent', { type: 'keyDown', ...key }, sessionId)
        await send('Input.dispatchKeyEvent', { ...key, type: 'keyUp', text: undefined }, sessionId)
      }
    },
    async screenshot(file: string): Promise<void> {
      const { data } = (await send('Page.captureScreenshot', { format: 'png' }, sessionId)) as { data: string }
      writeFileSync(file, Buffer.from(data, 'base64'))
    },
    async [Symbol.asyncDispose]() {
      const exit = new Promise(done => child.once('exit', done))
      child.kill('SIGKILL')
      await exit
      await sleep(200)
      rmSync(profile, { recursive: true, force: true, maxRetries: 5 })
    },
  }
}
