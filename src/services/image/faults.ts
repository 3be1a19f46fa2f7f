/** Glance's error envelope: a page of HTML, of which clients print the text. */
import type { FaultShape } from '#kernel/service.ts'

const escapes: Record<string, string> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#x27;' }
const escaped = (text: string) => text.replace(/[&<>"']/g, c => escapes[c]!)

export const imageFaults: FaultShape = fault => {
  const title = `${fault.status} ${fault.title}`
  const policy = fault.type === 'PolicyNotAuthorized' && /^Policy doesn't allow (\S+) to/.exec(fault.message)?.[1]
  const message = policy ? `You are not authorized to complete ${policy} action.` : fault.message
  return {
    contentType: 'text/html; charset=UTF-8',
    body: `<html>
 <head>
  <title>${title}</title>
 </head>
 <body>
  <h1>${title}</h1>
  ${escaped(message)}<br /><br />



 </body>
</html>`,
  }
}
