/** The pages of consoles, and the libraries that they show guests with. */
import { dirname } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { StaticFolder } from '#kernel/http/files.ts'

const policy = (style: string) =>
  [
    "default-src 'none'",
    "script-src 'self'",
    `style-src ${style}`,
    // noVNC draws the guest's pointer as an image of its own making.
    "img-src 'self' data:",
    "connect-src 'self'",
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'self'",
  ].join('; ')

/** The address of a page holds a token, so it goes nowhere and is kept nowhere. xterm.js writes its own style sheets. */
function pageHeaders(name: string): Record<string, string> {
  return {
    'content-security-policy': policy(name === 'serial.html' ? "'self' 'unsafe-inline'" : "'self'"),
    'referrer-policy': 'no-referrer',
    'cache-control': 'no-store',
  }
}

const libraryHeaders = () => ({ 'cache-control': 'public, max-age=3600' })

/** The folder that a package's main file is below of. */
const packageFolder = (name: string) => dirname(dirname(fileURLToPath(import.meta.resolve(name))))

export const consolePages: StaticFolder[] = [
  { path: '/console', folder: fileURLToPath(new URL('./pages', import.meta.url)), headers: pageHeaders },
  { path: '/console/novnc', folder: packageFolder('@novnc/novnc'), headers: libraryHeaders },
  { path: '/console/xterm', folder: packageFolder('@xterm/xterm'), headers: libraryHeaders },
]
