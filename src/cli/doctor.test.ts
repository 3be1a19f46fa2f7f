/** What the doctor finds, on whatever machine runs this. */
import assert from 'node:assert/strict'
import { type AddressInfo, createServer } from 'node:net'
import { test } from 'node:test'
import { examine } from './doctor.ts'

test('a port in use is found, and every trouble comes with a way out of it', async () => {
  const server = createServer()
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  try {
    const findings = await examine({ data: '/nonexistent/nephos/data', host: '127.0.0.1', port })
    const byName = new Map(findings.map(finding => [finding.name, finding]))
    assert.equal(byName.get(`port ${port}`)?.found, 'in use on 127.0.0.1')
    assert.match(byName.get('disk')?.found ?? '', /GiB free for \/nonexistent\/nephos\/data/)
    assert.ok(byName.has('KVM') && byName.has('data plane') && byName.has('qemu-img'))
    assert.deepEqual(
      findings.filter(finding => finding.status === 'missing' && !finding.remedy),
      [],
    )
  } finally {
    server.close()
  }
})
