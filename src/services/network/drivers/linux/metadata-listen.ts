/** Runs for a moment inside a network's namespace: opens the metadata port there, hands it to the parent, and ends. */
import { createServer } from 'node:net'

const [host] = process.argv.slice(2)
const server = createServer()
server.on('error', error => {
  process.stderr.write(`${error.message}\n`)
  process.exit(1)
})
server.listen({ host, port: 80, backlog: 128 }, () => {
  process.send?.('listening', server, {}, error => process.exit(error ? 1 : 0))
})
