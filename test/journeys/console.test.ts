/** The console of a real guest in a real browser: VNC and serial, by the addresses that the client is given. */
import assert from 'node:assert/strict'
import { statSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { missingBrowser, openBrowser } from './browser.ts'
import { createStage, missingForReal } from './stage.ts'

test('a guest can be seen and typed to in a browser', {
  skip: missingForReal() || missingBrowser(),
  timeout: 600_000,
}, async t => {
  await using stage = await createStage({ flags: ['--virt', 'qemu', '--network', 'linux'] })
  await stage.os([
    'server',
    'create',
    '--image',
    'tiny',
    '--flavor',
    'm1.nano',
    '--network',
    'private',
    '--wait',
    'one',
  ])
  await stage.until('login:', async () => /login:/.test(await stage.os(['console', 'log', 'show', 'one'])), {
    timeout: 120_000,
    every: 1000,
  })
  await using browser = await openBrowser(stage)

  await t.test('VNC shows the screen', async () => {
    const { url } = await stage.json<{ url: string }>(['console', 'url', 'show', '--novnc', 'one'])
    assert.match(url, /^http:\/\/127\.0\.0\.1:8774\//)
    await browser.open(url)
    await browser.until("document.querySelector('canvas')?.width > 300")
    // The guest's text screen is light on dark: some pixels of the canvas are light.
    await browser.until(
      `(() => { const c = document.querySelector('canvas'); const d = c.getContext('2d').getImageData(0, 0, c.width, c.height).data; for (let i = 0; i < d.length; i += 4) if (d[i] > 150) return true; return false })()`,
    )
    const shot = join(process.env.NEPHOS_SCREENSHOTS ?? stage.dir, 'vnc.png')
    await browser.screenshot(shot)
    assert.ok(statSync(shot).size > 2000)
  })

  await t.test('the serial console answers to typing', async () => {
    const { url } = await stage.json<{ url: string }>(['console', 'url', 'show', '--serial', 'one'])
    assert.match(url, /^ws:\/\/127\.0\.0\.1:8774\//)
    const page = new URL(url.replace(/^ws/, 'http'))
    await browser.open(`${page.origin}/console/serial.html${page.search}`)
    await browser.until("document.body.innerText.includes('Connected')")
    await browser.type('\n')
    await browser.until("document.body.innerText.includes('login:')")
    await browser.screenshot(join(process.env.NEPHOS_SCREENSHOTS ?? stage.dir, 'serial.png'))
  })
})
