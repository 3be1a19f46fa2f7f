/** The screen of a guest, by noVNC. */
import { consoleAddress, ended, refused, showStatus } from './address.js'
import RFB from './novnc/core/rfb.js'

const rfb = new RFB(document.getElementById('screen'), consoleAddress(), { shared: true })
rfb.scaleViewport = true
const reset = document.getElementById('reset')
reset.addEventListener('click', () => rfb.sendCtrlAltDel())

let connected = false
rfb.addEventListener('desktopname', ({ detail }) => {
  document.title = `${detail.name} (noVNC)`
})
rfb.addEventListener('connect', () => {
  connected = true
  reset.disabled = false
  showStatus('Connected.')
  rfb.focus()
})
rfb.addEventListener('disconnect', () => {
  reset.disabled = true
  showStatus(connected ? ended : refused)
})
