/** How a command that runs until it is told to stop is told. */

/** Resolves at the first SIGTERM or SIGINT; a second one ends the process at once. */
export function stopAsked(): Promise<void> {
  // A signal handler alone does not keep the process alive; the HTTP server does.
  return new Promise(resolve => {
    let asked = false
    const stop = () => {
      if (asked) process.exit(1)
      asked = true
      resolve()
    }
    process.on('SIGTERM', stop)
    process.on('SIGINT', stop)
  })
}
