/** The WebSocket that a page's own address names. Only the token is taken from it, so that no link can lead elsewhere. */
export function consoleAddress() {
  const query = new URLSearchParams(location.search)
  const token = query.get('token') ?? new URLSearchParams((query.get('path') ?? '').split('?')[1]).get('token') ?? ''
  const address = new URL('websocket', location.href)
  address.protocol = location.protocol.replace('http', 'ws')
  address.search = new URLSearchParams({ token })
  return address.href
}

export function showStatus(text) {
  document.getElementById('status').textContent = text
}

/** Why a connection may have ended. */
export const refused = 'Not connected: the address has expired or the server does not run. Ask for a new one.'
export const ended = 'The connection has ended.'
