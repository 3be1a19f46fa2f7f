/** The serial line of a guest, by xterm.js. */
import { consoleAddress, ended, refused, showStatus } from './address.js'
import { Terminal } from './xterm/lib/xterm.mjs'

const terminal = new Terminal({ cursorBlink: true, scrollback: 5000 })
terminal.open(document.getElementById('screen'))

const socket = new WebSocket(consoleAddress(), ['binary'])
socket.binaryType = 'arraybuffer'
let connected = false
socket.addEventListener('open', () => {
  connected = true
  showStatus('Connected. Press Enter for a prompt.')
  terminal.focus()
})
socket.addEventListener('message', ({ data }) => terminal.write(new Uint8Array(data)))
socket.addEventListener('close', ({ code }) => {
  if (code === 4001) showStatus('The console was opened elsewhere.')
  else showStatus(connected ? ended : refused)
})

const utf8 = new TextEncoder()
terminal.onData(text => send(utf8.encode(text)))
// Bytes that are no text, such as old mouse reports.
terminal.onBinary(text => send(Uint8Array.from(text, letter => letter.charCodeAt(0))))

function send(bytes) {
  if (socket.readyState === WebSocket.OPEN) socket.send(bytes)
}
