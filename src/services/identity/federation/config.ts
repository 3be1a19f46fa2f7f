/** Configuration of federation, within that of identity: which identity providers there are, and how they are spoken to. */
import { secret } from '#kernel/config/section.ts'
import { type Static, Type } from '#kernel/schema/builders.ts'

const text = (description: string) => Type.Optional(Type.String({ description }))
const flag = (description: string) => Type.Optional(Type.Boolean({ description }))

const openidSettings = Type.Object(
  {
    protocol: text('The id of the protocol, as it was added to the identity provider; by default "openid".'),
    issuer: Type.String({ pattern: '^https?://', description: 'The address that the provider calls itself by.' }),
    client_id: Type.String({ description: 'The name by which the provider knows this cloud.' }),
    client_secret: Type.Optional(secret({ description: 'The secret that the provider gave out with it.' })),
    client_authentication: Type.Optional(
      Type.Union([Type.Literal('client_secret_basic'), Type.Literal('client_secret_post')], {
        description: 'How the secret is shown to the provider; by default client_secret_basic.',
      }),
    ),
    audiences: Type.Optional(
      Type.Array(Type.String(), {
        minItems: 1,
        description:
          'Whom tokens must be meant for; by default the client_id. With command line clients of their own, theirs too.',
      }),
    ),
    scopes: text('What is asked for in the browser; by default "openid profile email".'),
    introspection: flag('Have the provider check tokens even when they are signed; tokens that are not always are.'),
    userinfo: flag('Ask the provider for more than the token says of its bearer.'),
  },
  { additionalProperties: false },
)

const saml2Settings = Type.Object(
  {
    protocol: text('The id of the protocol, as it was added to the identity provider; by default "saml2".'),
    entity_id: Type.String({ description: 'The entity id of the identity provider.' }),
    certificate_files: Type.Array(Type.String(), {
      minItems: 1,
      description: 'PEM files with the certificates that it signs with.',
    }),
    sso_url: text('Where browsers are sent to log in.'),
    slo_url: text('Where it is told that somebody logs out, and where answers to its own requests to log out go.'),
    slo_binding: Type.Optional(
      Type.Union([Type.Literal('redirect'), Type.Literal('soap')], {
        description: 'How it is told: by way of the browser, which is the default, or by this cloud itself.',
      }),
    ),
    own_key_file: text('PEM file with the key (RSA) that this cloud signs requests and answers of single logout with.'),
    own_entity_id: text('The entity id of this cloud for it; by default the address of the login.'),
    decryption_key_file: text('PEM file with the key for assertions that are encrypted for this cloud.'),
    allow_any_audience: flag(
      'Take assertions that say for no audience whom they are meant, as those of upstream Keystone. Their recipient is checked all the same.',
    ),
  },
  { additionalProperties: false },
)

export type OpenidSettings = Static<typeof openidSettings>
export type Saml2Settings = Static<typeof saml2Settings>

const providerId = Type.String({ pattern: '^.{1,64}$' })

export const federationSettings = Type.Object(
  {
    trusted_dashboards: Type.Array(Type.String(), {
      default: [],
      description:
        'The only addresses that a token may be sent to after a login in the browser: https://dashboard.example/auth/websso/',
    }),
    authorization_minutes: Type.Integer({
      default: 0,
      minimum: 0,
      description:
        'How long users stay in the groups that a login put them in, for their application credentials and trusts; at least as long as a token is good. Identity providers may say otherwise.',
    }),
    openid: Type.Record(providerId, openidSettings, {
      default: {},
      description: 'OpenID providers, by the id of the identity provider.',
    }),
    saml2: Type.Record(providerId, saml2Settings, {
      default: {},
      description: 'SAML 2.0 identity providers, by the id of the identity provider.',
    }),
    issuer_entity_id: Type.String({
      default: '',
      description:
        'The entity id of this cloud as a SAML 2.0 identity provider; by default the address of its metadata.',
    }),
    issuer_certificate_file: Type.String({
      default: '',
      description: 'PEM file with the certificate of this cloud as a SAML 2.0 identity provider.',
    }),
    issuer_key_file: Type.String({ default: '', description: 'PEM file with the key of that certificate.' }),
    issuer_lifetime_seconds: Type.Integer({
      default: 300,
      minimum: 10,
      description: 'How long an assertion for another cloud is good.',
    }),
    issuer_logouts: Type.Record(
      providerId,
      Type.Object(
        {
          url: Type.String({ pattern: '^https?://', description: 'Where it is told, by SOAP.' }),
          certificate_files: Type.Array(Type.String(), {
            description: 'PEM files with the certificates that its own requests to log out are signed with.',
          }),
        },
        { additionalProperties: false },
      ),
      {
        default: {},
        description:
          'Service providers, by id, that are told when a token ends of which they were told, and that may end it.',
      },
    ),
    issuer_audiences: Type.Record(providerId, Type.String(), {
      default: {},
      description:
        'Entity ids of service providers, by id, as assertions for them name; by default their sp_url. Empty text: none is named.',
    }),
  },
  { description: 'Logins by other identity providers, and at other clouds.' },
)
