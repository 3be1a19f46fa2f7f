/**
 * Software in a real guest, by its real agent. What stands in the tiny guest for a package manager, and for Puppet, are scripts that answer as these do;
 * the real ones are those of the nightly Debian guest.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { softwareOf } from './software.ts'
import { createStage, missingForReal } from './stage.ts'

const minutes = 60_000

const userData = `#!/bin/sh
echo ID=alpine >/etc/os-release
mkdir -p /var/lib/apk
cat >/usr/sbin/apk <<'END'
#!/bin/sh
for last; do :; done
name=\${last%%=*}
case $1 in
  add)
    case $name in no-such*) echo "ERROR: unable to select packages: $name (no such package)" >&2; exit 1 ;; esac
    case $last in *=*) echo "\${last#*=}" ;; *) echo 1.0-r0 ;; esac >/var/lib/apk/$name ;;
  del) rm -f /var/lib/apk/$name ;;
  info) [ -e /var/lib/apk/$name ] && echo "$name-$(cat /var/lib/apk/$name)" ;;
esac
END
cat >/usr/sbin/puppet <<'END'
#!/bin/sh
for last; do :; done
[ "$1" = apply ] || { echo 7.23.0; exit; }
echo "node definition: $(ls -l "$last" | cut -c1-10) in $(ls -ld "\${last%/*}" | cut -c1-10): $(tr '\\n' ' ' <"$last")" >/dev/console
apk add nginx
exit 2
END
chmod 755 /usr/sbin/apk /usr/sbin/puppet
`

test('a guest gets the packages of its request, each an event, and loses what is no longer asked for', {
  skip: missingForReal(),
  timeout: 20 * minutes,
}, async () => {
  await using stage = await createStage({ flags: ['--virt', 'qemu', '--network', 'linux'] })
  const field = async (...args: string[]) => (await stage.os([...args, '-f', 'value', '-c', 'id'])).trim()
  const software = await softwareOf(stage, {
    name: 'web',
    imageRef: await field('image', 'show', 'tiny'),
    flavorRef: await field('flavor', 'show', 'm1.nano'),
    networks: [{ uuid: await field('network', 'show', 'private') }],
    user_data: Buffer.from(userData).toString('base64'),
    'os-software:request': {
      driver: 'packages',
      packages: ['nginx', 'no-such-thing', { name: 'vim', version: '9.0-r1' }],
    },
  })
  const first = await software.ended(10 * minutes)
  const states = [
    ['nginx', 'installed', '1.0-r0'],
    ['no-such-thing', 'failed', null],
    ['vim', 'installed', '9.0-r1'],
  ]
  assert.deepEqual(first.states, states, JSON.stringify(first))
  const log = await software.log()
  assert.match(log, /install nginx/)
  assert.match(log, /no such package/)

  await software.put({ driver: 'puppet', packages: ['nginx'], manifest: "notice('a manifest')" })
  const second = await software.ended(5 * minutes)
  const stays = [
    ['nginx', 'installed', '1.0-r0'],
    ['no-such-thing', 'absent', null],
    ['vim', 'failed', '9.0-r1'],
  ]
  assert.deepEqual(second.states, stays, 'this Puppet removes nothing')
  const console = await stage.os(['console', 'log', 'show', software.id])
  assert.match(console, /node definition: \S+ in drwx------: notice\('a manifest'\).*'nginx': ensure => installed/)

  await software.put({ driver: 'packages', packages: ['nginx'] })
  const third = await software.ended(5 * minutes)
  const left = [
    ['nginx', 'installed', '1.0-r0'],
    ['vim', 'removed', null],
  ]
  assert.deepEqual([third.status, third.states], ['done', left])
  assert.equal((await stage.json<{ status: string }>(['server', 'show', software.id])).status, 'ACTIVE')
  await stage.os(['server', 'delete', '--wait', software.id])
})
