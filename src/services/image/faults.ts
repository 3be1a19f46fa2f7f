/** Glance's error envelope: a page of HTML, of which clients print the text; JSON or plain text for who asks for that alone. */
import type { FaultShape } from '#kernel/service.ts'

const escapes: Record<string, string> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#x27;' }
const escaped = (text: string) => text.replace(/[&<>"']/g, c => escapes[c]!)
const framed = (text: string) => `${text}<br /><br />\n\n\n`

export const imageFaults: FaultShape = (fault, { accept }) => {
  const status = `${fault.status} ${fault.title}`
  const policy = fault.type === 'PolicyNotAuthorized' && /^Policy doesn't allow (\S+) to/.exec(fault.message)?.[1]
  const message = policy ? `You are not authorized to complete ${policy} action.` : fault.message
  if (accept === undefined || accept === '' || /text\/(html|\*)|\*\/\*/i.test(accept)) return page(status, message)
  if (/application\/(json|\*)/i.test(accept))
    return { body: { message: framed(message), code: status, title: fault.title }, contentType: 'application/json' }
  return { contentType: 'text/plain; charset=UTF-8', body: `${status}\n\n${message}\n\n\n` }
}

const page = (status: string, message: string) => ({
  contentType: 'text/html; charset=UTF-8',
  body: `<html>
 <head>
  <title>${status}</title>
 </head>
 <body>
  <h1>${status}</h1>
  ${framed(escaped(message))}

 </body>
</html>`,
})
