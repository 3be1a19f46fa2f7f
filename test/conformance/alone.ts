/** Runs this program again in a network of its own, with nothing but loopback: what a suite sends stays on the machine. */
import { spawn } from 'node:child_process'

const mark = 'NEPHOS_CONFORMANCE_ALONE'

export const isAlone = () => process.env[mark] === '1'

/**
 * Gives the exit code. Mounts are its own too, so that names of network namespaces end with it; so are processes where that is possible, so that guests
 * and what serves them do.
 */
export async function runAlone(script: string, words: string[]): Promise<number> {
  const asRoot = process.getuid?.() === 0 ? ['-p', '-f', '--mount-proc', '--kill-child'] : ['--map-root-user']
  // The shell stays: it is the parent of what has lost its own.
  const inside = 'mount -t tmpfs conformance /run; mkdir /run/netns; ip link set lo up && "$@"; exit $?'
  const program = [process.execPath, script, ...words]
  const child = spawn('unshare', [...asRoot, '-n', '-m', 'sh', '-c', inside, 'sh', ...program], {
    stdio: 'inherit',
    env: { ...process.env, [mark]: '1' },
  })
  return new Promise((done, fail) => {
    child.once('error', fail)
    child.once('exit', code => done(code ?? 1))
  })
}
