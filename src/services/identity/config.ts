/** Configuration of identity. */
import { section } from '#kernel/config/section.ts'
import { Type } from '#kernel/schema/builders.ts'
import { certificateSettings, factorSettings } from './factor-providers/config.ts'
import { federationSettings } from './federation/config.ts'
import { ldapSettings } from './ldap-options.ts'

export const identityConfig = section(
  'identity',
  Type.Object(
    {
      token_provider: Type.Union([Type.Literal('fernet'), Type.Literal('jws')], {
        default: 'fernet',
        description:
          'What tokens are: fernet, short and sealed; or jws, signed, so that others can check them with the keys of /identity/.well-known/jwks.json. Tokens of the other kind stay good.',
      }),
      token_lifetime_seconds: Type.Integer({ default: 86_400, minimum: 60, description: 'How long a token is good.' }),
      expired_token_window_seconds: Type.Integer({
        default: 172_800,
        minimum: 0,
        description: 'How long after its end a service may still look at a token (allow_expired).',
      }),
      key_rotation_seconds: Type.Integer({
        default: 604_800,
        minimum: 0,
        description: 'Age at which the key that signs tokens is replaced; 0 never does it by itself.',
      }),
      cache_size: Type.Integer({ default: 20_000, minimum: 1, description: 'How many checked tokens are remembered.' }),
      cache_trust_ms: Type.Integer({
        default: 1000,
        minimum: 0,
        description: 'How long a process goes without asking the database whether another one has revoked something.',
      }),
      password_memory_kib: Type.Integer({
        default: 7168,
        minimum: 8,
        description: 'Memory of argon2id for passwords.',
      }),
      password_passes: Type.Integer({
        default: 5,
        minimum: 1,
        description: 'Passes of argon2id for passwords; with less memory it takes more of them.',
      }),
      lockout_attempts: Type.Integer({
        default: 0,
        minimum: 0,
        description: 'Wrong passwords in a row that lock a user out; 0 never does.',
      }),
      lockout_seconds: Type.Integer({ default: 1800, minimum: 1, description: 'How long such a user is locked out.' }),
      source_lockout_attempts: Type.Integer({
        default: 0,
        minimum: 0,
        description:
          'Failed logins from one address, within lockout_seconds, after which it must wait; 0 never. Not for clouds whose users all come by one proxy.',
      }),
      password_regex: Type.String({
        default: '',
        description: 'A regular expression that new passwords must match; empty: any password will do.',
      }),
      password_regex_description: Type.String({
        default: '',
        description: 'The same for people: it is told to those whose password is refused.',
      }),
      password_expires_days: Type.Integer({
        default: 0,
        minimum: 0,
        description: 'Days after which a password must be changed; 0: never.',
      }),
      unique_last_password_count: Type.Integer({
        default: 0,
        minimum: 0,
        maximum: 100,
        description: 'How many of the last passwords of a user a new one must differ from; 0: none.',
      }),
      minimum_password_age_days: Type.Integer({
        default: 0,
        minimum: 0,
        description: 'Days that users must keep a password before they change it again.',
      }),
      change_password_upon_first_use: Type.Boolean({
        default: false,
        description: 'Whether passwords that admins give must be changed at first use.',
      }),
      disable_user_account_days_inactive: Type.Integer({
        default: 0,
        minimum: 0,
        description: 'Days without a login after which a user is disabled; 0: never.',
      }),
      receipt_lifetime_seconds: Type.Integer({
        default: 300,
        minimum: 1,
        description: 'How long the receipt for the first factors of a login is good.',
      }),
      totp_previous_windows: Type.Integer({
        default: 1,
        minimum: 0,
        maximum: 10,
        description: 'How many 30-second windows before the present one a one-time code is good for.',
      }),
      oauth1_request_token_seconds: Type.Integer({
        default: 28_800,
        minimum: 0,
        description: 'How long a user may take to answer an OAuth1 consumer; 0: for ever.',
      }),
      oauth1_access_token_seconds: Type.Integer({
        default: 86_400,
        minimum: 0,
        description: 'How long an OAuth1 consumer may act for a user; 0: for ever.',
      }),
      domain_configs: Type.Record(
        Type.String(),
        Type.Object({
          identity: Type.Optional(Type.Object({ driver: Type.Optional(Type.String()) })),
          ldap: Type.Optional(ldapSettings),
        }),
        {
          default: {},
          description:
            'Options of domains by their names, in groups as the API of domain configurations has them: with identity.driver ldap, the group ldap has the options of upstream. The API comes before it.',
        },
      ),
      directory_timeout_seconds: Type.Integer({
        default: 10,
        minimum: 1,
        description: 'How long an LDAP server may take for one answer.',
      }),
      directory_entries: Type.Integer({
        default: 10_000,
        minimum: 1000,
        description: 'Users or groups that one question to an LDAP server may bring.',
      }),
      limit_enforcement_model: Type.Union([Type.Literal('flat'), Type.Literal('strict_two_level')], {
        default: 'flat',
        description: 'Whether limits of projects count against those of their domain (strict_two_level) or not (flat).',
      }),
      ec2_signature_seconds: Type.Integer({
        default: 900,
        minimum: 1,
        description: 'How old the time in a request signed with an EC2 credential may be.',
      }),
      max_redelegation_count: Type.Integer({
        default: 3,
        minimum: 0,
        description: 'How many times a trust may be passed on.',
      }),
      max_application_credentials: Type.Integer({
        default: 0,
        minimum: 0,
        description: 'Application credentials a user may have; 0 is no limit.',
      }),
      catalog_template_file: Type.String({
        default: '',
        description:
          "A file with the catalog that tokens show, in the form of upstream's templates, in place of the services and endpoints of the API.",
      }),
      factors: factorSettings,
      client_certificates: certificateSettings,
      federation: federationSettings,
    },
    { description: 'Users, tokens and passwords.' },
  ),
)
