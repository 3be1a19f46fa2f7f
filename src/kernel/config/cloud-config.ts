/** The section of the configuration that belongs to no service. */
import { Type } from '../schema/builders.ts'
import { secret, section } from './section.ts'

export const cloudConfig = section(
  'cloud',
  Type.Object(
    {
      region: Type.String({ default: 'RegionOne', description: 'Name of the region in the catalog.' }),
      public_url: Type.String({
        default: '',
        description: 'Address by which users reach the cloud; by default the one it listens on.',
      }),
      database_url: secret({
        default: '',
        description: 'postgres://user:password@host/name; by default SQLite in the data folder.',
      }),
      nats_url: secret({
        default: '',
        description:
          'nats://host:4222, one NATS account for each cloud; by default the bus needs no server and stays on this machine.',
      }),
      nats_tls: Type.Object(
        {
          ca_file: Type.String({ default: '', description: 'The authority of its certificate; empty for no TLS.' }),
          cert_file: Type.String({
            default: '',
            description: "This process's own certificate, where it asks for one.",
          }),
          key_file: Type.String({ default: '', description: 'Its key.' }),
        },
        { description: 'How the connection to the NATS server is encrypted.' },
      ),
      nats_credentials_file: Type.String({
        default: '',
        description: 'How the NATS server knows this process: a credentials file, or one with the seed of an nkey.',
      }),
      bus_key: secret({
        default: '',
        description:
          'What messages on the NATS server are sealed with, at least 32 random characters, the same in all processes of the cloud. Several, parted by spaces: the first seals, all open. Notifications are not sealed.',
      }),
      log_level: Type.Union(
        [Type.Literal('debug'), Type.Literal('info'), Type.Literal('warn'), Type.Literal('error')],
        { default: 'info', description: 'The least level that is logged.' },
      ),
      max_body_bytes: Type.Integer({
        default: 10_485_760,
        minimum: 1024,
        description: 'Largest JSON body of a request.',
      }),
      keep_deleted_days: Type.Integer({
        default: 30,
        minimum: 0,
        description: 'Days that deleted rows and finished work stay in the archive.',
      }),
    },
    { description: 'The cloud as a whole.' },
  ),
)
