/** The way back to the dashboard after a login in the browser: only to those that are trusted, with the token in a form that sends itself. */
import { createHash } from 'node:crypto'
import type { Ctx } from '#kernel/context.ts'
import { BadRequest, Unauthorized } from '#kernel/errors.ts'
import { type Reply, reply } from '#kernel/operation.ts'
import { identityConfig } from '../config.ts'

/** Host names are the same in any case. */
function plain(address: string): string {
  return address.replace(/^[a-z]+:\/\/[^/]*/i, start => start.toLowerCase())
}

/** The dashboard that a request names, when tokens may be sent there. */
export function trustedOrigin(ctx: Ctx, origin: string | undefined): string {
  if (!origin) throw new BadRequest('Request must have an origin query parameter')
  const { trusted_dashboards } = ctx.config.of(identityConfig).federation
  const asked = plain(origin)
  if (!trusted_dashboards.some(one => plain(one) === asked)) {
    throw new Unauthorized(`${origin} is not a trusted dashboard host`)
  }
  return asked
}

/** The address that a request names, when it is at the site of a trusted dashboard. */
export function trustedSite(ctx: Ctx, address: string | undefined): string {
  if (!address || !URL.canParse(address)) throw new BadRequest('Request must have an origin query parameter')
  const { trusted_dashboards } = ctx.config.of(identityConfig).federation
  const { origin, href } = new URL(address)
  if (!trusted_dashboards.some(one => URL.canParse(one) && new URL(one).origin === origin)) {
    throw new Unauthorized(`${address} is not a trusted dashboard host`)
  }
  return href
}

const marks: Record<string, string> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' }

export function escaped(text: string): string {
  return text.replace(/[&<>"']/g, mark => marks[mark]!)
}

/** Of a page that nobody keeps, frames or adds to. */
export function pageHeaders(script?: string): Record<string, string> {
  const scripts =
    script === undefined ? '' : `; script-src 'sha256-${createHash('sha256').update(script).digest('base64')}'`
  return {
    'content-type': 'text/html; charset=utf-8',
    'cache-control': 'no-store',
    'content-security-policy': `default-src 'none'; frame-ancestors 'none'${scripts}`,
    'referrer-policy': 'origin',
  }
}

const submit = "window.onload = function () { document.forms['sso'].submit() }"

/** Upstream's dashboard reads the field `token`. */
export function sendToDashboard(origin: string, token: string): Reply {
  const page = `<!DOCTYPE html>
<html lang="en">
  <head><meta charset="utf-8"><title>Logging in</title></head>
  <body>
    <form id="sso" name="sso" action="${escaped(origin)}" method="post">
      <p>Please wait.</p>
      <input type="hidden" name="token" id="token" value="${escaped(token)}">
      <noscript><input type="submit" value="Continue to the dashboard"></noscript>
    </form>
    <script>${submit}</script>
  </body>
</html>
`
  return reply(page, { status: 200, headers: pageHeaders(submit) })
}

export interface Choice {
  name: string
  url: string
}

/** A page to choose an identity provider on. */
export function chooseProvider(choices: readonly Choice[]): Reply {
  const items = choices.map(({ name, url }) => `      <li><a href="${escaped(url)}">${escaped(name)}</a></li>`)
  const page = `<!DOCTYPE html>
<html lang="en">
  <head><meta charset="utf-8"><title>Logging in</title></head>
  <body>
    <p>Log in by:</p>
    <ul>
${items.join('\n')}
    </ul>
  </body>
</html>
`
  return reply(page, { status: 200, headers: pageHeaders() })
}
