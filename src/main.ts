/** The commands: reads argv, and loads only what the command needs. */
import { readFileSync } from 'node:fs'
import type { Command } from './cli/command.ts'
import { parseCommand, UsageError } from './cli/options.ts'
import { toItsEnd } from './cli/to-its-end.ts'

function version(): string {
  return JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')).version
}

/** Runs a command to its end and gives the exit code. */
async function run(command: Command): Promise<number> {
  switch (command.name) {
    case 'help':
      process.stdout.write((await import('./cli/help.ts')).helpText)
      return 0
    case 'version':
      console.log(`nephos ${version()} (Node ${process.versions.node})`)
      return 0
    case 'doctor':
      return (await import('./cli/doctor.ts')).doctor(command.options)
    case 'image build':
      return (await import('./cli/image-build.ts')).imageBuild(command.options)
    case 'image replicate':
      return (await import('./cli/image-replicate.ts')).imageReplicate(command.options)
    case 'up':
      return (await import('./cli/up.ts')).up(command.options)
    case 'serve':
      return (await import('./cli/serve.ts')).serve(command.options)
    case 'scheduler':
      return (await import('./cli/scheduler.ts')).scheduler(command.options)
    case 'status':
      return (await import('./cli/status.ts')).status(command.options)
    case 'db migrate':
      return (await import('./cli/database.ts')).dbMigrate(command.options)
    case 'db check':
      return (await import('./cli/database.ts')).dbCheck(command.options)
    case 'keys rotate':
      return (await import('./cli/keys-rotate.ts')).keysRotate(command.options)
    case 'trace':
      return (await import('./cli/trace.ts')).trace(command.options)
    case 'api schema':
      return (await import('./cli/api-schema.ts')).apiSchema(command.options)
    case 'fixed list':
      return (await import('./cli/fixed-list.ts')).fixedList(command.options)
    case 'cell list':
      return (await import('./cli/cell-list.ts')).cellList(command.options)
    case 'metadata clashes':
      return (await import('./cli/metadata-clashes.ts')).metadataClashes(command.options)
    case 'server why':
      return (await import('./cli/server-why.ts')).serverWhy(command.options)
    case 'host':
      return (await import('./cli/host-maintenance.ts')).hostMaintenance(command.options)
    case 'placement explain':
      return (await import('./cli/placement-explain.ts')).placementExplain(command.options)
    case 'policy list':
      return (await import('./cli/policy.ts')).policyList(command.options)
    case 'policy check':
      return (await import('./cli/policy.ts')).policyCheck(command.options)
    case 'policy sample':
      return (await import('./cli/policy.ts')).policySample(command.options)
    case 'config sample':
      return (await import('./cli/config-sample.ts')).configSample()
  }
}

// Who reads what is printed may go away (`| head`). What goes on without a reader, such as a cloud, does.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') throw error
})

try {
  process.exitCode = await toItsEnd(run(parseCommand(process.argv.slice(2))))
} catch (error) {
  if (error instanceof UsageError) {
    console.error(`nephos: ${error.message} (nephos --help lists everything)`)
    process.exitCode = 2
  } else {
    const { plainWords } = await import('./cli/plain-error.ts')
    const plain = plainWords(error)
    console.error(plain === undefined ? error : `nephos: ${plain}`)
    process.exitCode = 1
  }
}
