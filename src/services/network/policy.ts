/** Policy texts that the network service's resources share, as upstream's defaults have them. */
import { type Rule, rule } from '#kernel/policy/rule.ts'

export const admin = 'rule:context_is_admin'
export const adminOrService = 'rule:context_is_admin or role:service'
export const netOwnerMember = '(role:member and project_id:%(network:project_id)s)'
export const netOwnerReader = '(role:reader and project_id:%(network:project_id)s)'
export const sgOwnerMember = '(role:member and project_id:%(security_group:project_id)s)'
export const sgOwnerReader = '(role:reader and project_id:%(security_group:project_id)s)'
export const projectMember = 'rule:project_member_api'
export const projectReader = 'rule:project_reader_api'

/** Rules that others refer to. */
export const sharedRules: Rule[] = [
  rule('shared', 'field:networks:shared=True', { description: 'The network is shared with the caller.' }),
  rule('external', 'field:networks:router:external=True', { description: 'The network leads outside.' }),
  rule('network_device', 'field:port:device_owner=~^network:', {
    description: 'A port that the cloud made for itself.',
  }),
]
