/** Configuration of factors beyond passwords and one-time codes of an app, and of logins by client certificates. */
import { secret } from '#kernel/config/section.ts'
import { type Static, Type } from '#kernel/schema/builders.ts'

const messageSettings = Type.Object(
  {
    type: Type.Literal('message'),
    url: Type.String({
      pattern: '^https?://',
      description:
        'The gateway that brings codes to people, by SMS or by a call: {"to", "text"} is posted to it as JSON.',
    }),
    authorization: Type.Optional(secret({ description: 'The Authorization header for the gateway.' })),
    text: Type.Optional(
      Type.String({ pattern: '%\\(code\\)s', description: 'What is sent, with %(code)s where the code goes.' }),
    ),
    code_seconds: Type.Optional(Type.Integer({ minimum: 30, description: 'How long a code is good; 300.' })),
    attempts: Type.Optional(Type.Integer({ minimum: 1, description: 'How often one may be tried; 5.' })),
  },
  { additionalProperties: false },
)

const radiusSettings = Type.Object(
  {
    type: Type.Literal('radius'),
    server: Type.String({
      description:
        'host:port of a RADIUS server that knows the codes, and signs its answers with a Message-Authenticator; the port is 1812 unless said.',
    }),
    secret: secret({ description: 'The secret shared with it.' }),
    identifier: Type.Optional(
      Type.String({ maxLength: 253, description: 'What this cloud calls itself (NAS-Identifier).' }),
    ),
    timeout_seconds: Type.Optional(Type.Integer({ minimum: 1, description: 'How long it may take for an answer; 3.' })),
  },
  { additionalProperties: false },
)

const moduleSettings = Type.Object(
  {
    type: Type.Literal('module'),
    file: Type.String({ description: 'A module of JavaScript or TypeScript that exports `factor(settings)`.' }),
    settings: Type.Optional(Type.Unknown({ description: 'What the function is called with.' })),
  },
  { additionalProperties: false },
)

export type MessageSettings = Static<typeof messageSettings>
export type RadiusSettings = Static<typeof radiusSettings>
export type ModuleSettings = Static<typeof moduleSettings>

export const factorSettings = Type.Record(
  Type.String({ pattern: '^[a-z][a-z0-9_]{0,15}$' }),
  Type.Union([messageSettings, radiusSettings, moduleSettings]),
  {
    default: {},
    description:
      'More ways to show who one is, by the name of the method: type message sends a code through a gateway, radius asks a RADIUS server, module is code of your own.',
  },
)

export const certificateSettings = Type.Object(
  {
    header: Type.String({
      default: '',
      description:
        'The header in which the proxy that ends TLS passes on the certificate that a client showed, as PEM (URL-encoded) or DER in base64; it must take the header away from all other requests. Empty: nobody logs in by a certificate.',
    }),
    proxies: Type.Array(Type.String(), {
      default: ['127.0.0.1', '::1'],
      description: 'The addresses of such proxies. The header of others is not looked at.',
    }),
    authority_files: Type.Array(Type.String(), {
      default: [],
      description: 'PEM files with the authorities whose certificates let in.',
    }),
    name_field: Type.Union([Type.Literal('CN'), Type.Literal('emailAddress'), Type.Literal('UID')], {
      default: 'CN',
      description: "The part of the certificate's subject that is the user's name.",
    }),
    domain_field: Type.Union([Type.Literal('O'), Type.Literal('OU'), Type.Literal('')], {
      default: '',
      description: "The part that is the name of the user's domain; empty: it is always the domain below.",
    }),
    domain: Type.String({ default: 'Default', description: "The name of the users' domain." }),
  },
  { description: 'Logins by client certificates (the method external).' },
)
