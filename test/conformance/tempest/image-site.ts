/** A web server with disks, for images that are imported from one or stay there. */
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'

/** An empty disk of 1 GiB, as far as its header says. */
function emptyQcow2(): Buffer {
  const bytes = Buffer.alloc(262_144)
  bytes.write('QFI\xfb', 0, 'latin1')
  bytes.writeUInt32BE(2, 4)
  bytes.writeUInt32BE(16, 20)
  bytes.writeBigUInt64BE(1024n ** 3n, 24)
  bytes.writeUInt32BE(2, 36)
  bytes.writeBigUInt64BE(0x30000n, 40)
  bytes.writeBigUInt64BE(0x10000n, 48)
  bytes.writeUInt32BE(1, 56)
  return bytes
}

const files: Record<string, Buffer> = { '/disk.raw': Buffer.alloc(65_536, 'disk'), '/disk.qcow2': emptyQcow2() }

export async function imageSite() {
  const server = createServer((request, response) => {
    const found = files[request.url!.split(/[?#]/)[0]!]
    if (!found) return void response.writeHead(404).end()
    response.writeHead(200, { 'content-length': found.length }).end(found)
  })
  server.listen(0, '127.0.0.1')
  await new Promise(done => server.once('listening', done))
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      await new Promise(done => server.close(done))
    },
  }
}

/** How the cloud's images are set up: two folders, the web, and all that owners may be shown. */
export const imageSettingsOf = (folder: string) => ({
  stores: { second: { type: 'file', directory: folder }, web: { type: 'http' } },
  show_locations: true,
  // Some tests upload bytes that are of no format, others such as no host may open: the builds have to fail.
  require_format_match: false,
  refuse_unsafe: false,
  convert_imports_to: 'raw',
  import_networks: ['127.0.0.0/8', '::1/128'],
  import_ports: [],
})
