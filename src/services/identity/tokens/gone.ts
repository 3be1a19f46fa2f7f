/** What clients of signed PKI tokens once asked for. Those tokens are gone, and upstream says so too. */
import { Gone } from '#kernel/errors.ts'
import { operation } from '#kernel/operation.ts'
import { identityRule, systemOrProject } from '../policy.ts'

const gone = async (): Promise<never> => {
  throw new Gone('This API is no longer available due to the removal of support for PKI tokens.')
}

export const goneOperations = [
  operation({
    id: 'identity.pki.revoked',
    method: 'GET',
    path: '/v3/auth/tokens/OS-PKI/revoked',
    summary: 'The list of revoked PKI tokens, which are gone',
    status: 410,
    policy: identityRule('revocation_list', 'rule:service_or_admin', systemOrProject),
    handle: gone,
  }),
  operation({
    id: 'identity.simple_cert.ca',
    method: 'GET',
    path: '/v3/OS-SIMPLE-CERT/ca',
    summary: 'The authority of PKI tokens, which are gone',
    status: 410,
    policy: 'public',
    handle: gone,
  }),
  operation({
    id: 'identity.simple_cert.certificates',
    method: 'GET',
    path: '/v3/OS-SIMPLE-CERT/certificates',
    summary: 'The certificates of PKI tokens, which are gone',
    status: 410,
    policy: 'public',
    handle: gone,
  }),
]
