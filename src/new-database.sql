-- Written by `npm run generate` from the migrations of the kernel and of all services.

CREATE TABLE "kernel_sagas" ("id" text primary key, "saga" text not null, "revision" integer not null, "subject" text not null, "state" text not null, "input" text not null, "request_id" text not null, "identity" text not null, "project_id" text, "user_id" text, "started_at" text not null, "updated_at" text not null, "deadline_at" text not null, "cancel" integer not null, "error" text, "global_request_id" text, "client_tag" text, nth integer not null default 0);

CREATE INDEX "kernel_sagas_subject" on "kernel_sagas" ("subject", "started_at");

CREATE INDEX "kernel_sagas_state" on "kernel_sagas" ("state", "updated_at");

CREATE INDEX "kernel_sagas_request" on "kernel_sagas" ("request_id");

CREATE TABLE "kernel_saga_steps" ("saga_id" text not null, "seq" integer not null, "name" text not null, "state" text not null, "output" text, "started_at" text not null, "finished_at" text not null, "error" text, "undo_started_at" text, "undone_at" text, constraint "kernel_saga_steps_pk" primary key ("saga_id", "seq"));

CREATE TABLE "kernel_events" ("seq" integer primary key autoincrement, "id" text not null unique, "type" text not null, "at" text not null, "request_id" text not null, "project_id" text, "user_id" text, "resource_id" text, "payload" text not null, tx bigint not null default 0, "global_request_id" text, "client_tag" text);

CREATE INDEX "kernel_events_resource" on "kernel_events" ("resource_id");

CREATE TABLE "kernel_archive" ("source" text not null, "id" text not null, "deleted_at" text not null, "row" text not null, constraint "kernel_archive_pk" primary key ("source", "id"));

CREATE INDEX kernel_archive_age on kernel_archive (deleted_at);

CREATE INDEX "kernel_events_request" on "kernel_events" ("request_id");

CREATE INDEX kernel_events_global on "kernel_events" (global_request_id)
          where global_request_id is not null;

CREATE INDEX kernel_sagas_global on "kernel_sagas" (global_request_id)
          where global_request_id is not null;

CREATE TABLE identity_generation (id integer primary key, value bigint not null);

CREATE TABLE identity_keys (
    purpose text not null, number integer not null, state text not null, secret text not null, created_at bigint not null,
    primary key (purpose, number));

CREATE TABLE identity_projects (
    id text primary key, name text not null, domain_id text, parent_id text, is_domain integer not null,
    enabled integer not null, description text not null, tags text not null, options text not null, extra text not null,
    tokens_after bigint not null);

CREATE UNIQUE INDEX identity_projects_name on identity_projects (coalesce(domain_id, ''), name);

CREATE INDEX identity_projects_parent on identity_projects (parent_id);

CREATE TABLE identity_users (
    id text primary key, name text not null, domain_id text not null, default_project_id text, enabled integer not null,
    password_hash text, password_changed_at bigint, failed_logins integer not null, last_failed_login_at bigint,
    options text not null, extra text not null, created_at bigint not null, tokens_after bigint not null, password_expires_at bigint, password_self_set integer not null default 0, last_active_at bigint, foreign_id text not null default '');

CREATE TABLE identity_groups (
    id text primary key, name text not null, domain_id text not null, description text not null, extra text not null);

CREATE UNIQUE INDEX identity_groups_name on identity_groups (domain_id, name);

CREATE TABLE identity_memberships (group_id text not null, user_id text not null, primary key (group_id, user_id));

CREATE INDEX identity_memberships_user on identity_memberships (user_id);

CREATE TABLE identity_roles (
    id text primary key, name text not null, domain_id text, description text, options text not null, extra text not null);

CREATE UNIQUE INDEX identity_roles_name on identity_roles (coalesce(domain_id, ''), name);

CREATE TABLE identity_implied_roles (
    prior_role_id text not null, implied_role_id text not null, primary key (prior_role_id, implied_role_id));

CREATE TABLE identity_assignments (
    actor_type text not null, actor_id text not null, target_type text not null, target_id text not null, role_id text not null,
    inherited integer not null, primary key (actor_type, actor_id, target_type, target_id, role_id, inherited));

CREATE INDEX identity_assignments_target on identity_assignments (target_type, target_id);

CREATE INDEX identity_assignments_role on identity_assignments (role_id);

CREATE TABLE identity_regions (
    id text primary key, description text not null, parent_region_id text, extra text not null);

CREATE TABLE identity_services (
    id text primary key, type text not null, name text, description text, enabled integer not null, extra text not null);

CREATE TABLE identity_endpoints (
    id text primary key, service_id text not null, region_id text, interface text not null, url text not null,
    enabled integer not null, extra text not null);

CREATE INDEX identity_endpoints_service on identity_endpoints (service_id);

CREATE TABLE identity_application_credentials (
    id text primary key, name text not null, description text, user_id text not null, project_id text not null,
    secret_hash text not null, role_ids text not null, access_rules text, unrestricted integer not null, expires_at bigint, expires_micros integer not null default 0);

CREATE UNIQUE INDEX identity_application_credentials_name on identity_application_credentials (user_id, name);

CREATE TABLE identity_access_rules (
    id text primary key, user_id text not null, service text not null, method text not null, path text not null);

CREATE INDEX identity_access_rules_user on identity_access_rules (user_id);

CREATE TABLE identity_credentials (
    id text primary key, type text not null, user_id text not null, project_id text, encrypted_blob text not null,
    extra text not null);

CREATE INDEX identity_credentials_user on identity_credentials (user_id);

CREATE TABLE identity_revoked_tokens (audit_id text primary key, expires_at bigint not null);

CREATE TABLE identity_revoked_scopes (
    user_id text not null, scope text not null, tokens_after bigint not null, at bigint not null, primary key (user_id, scope));

CREATE TABLE identity_unknown_logins (id integer primary key, failures bigint not null);

CREATE TABLE identity_trusts (
    id text primary key, trustor_user_id text not null, trustee_user_id text not null, project_id text,
    impersonation integer not null, expires_at bigint, remaining_uses integer, redelegated_trust_id text,
    redelegation_count integer not null, role_ids text not null, extra text not null);

CREATE UNIQUE INDEX identity_trusts_same on identity_trusts
    (trustor_user_id, trustee_user_id, project_id, impersonation, expires_at);

CREATE INDEX identity_trusts_trustee on identity_trusts (trustee_user_id);

CREATE INDEX identity_trusts_chain on identity_trusts (redelegated_trust_id);

CREATE TABLE identity_endpoint_groups (
    id text primary key, name text not null, description text, filters text not null, extra text not null);

CREATE TABLE identity_project_endpoints (
    project_id text not null, endpoint_id text not null, primary key (project_id, endpoint_id));

CREATE TABLE identity_project_endpoint_groups (
    project_id text not null, endpoint_group_id text not null, primary key (project_id, endpoint_group_id));

CREATE TABLE identity_policies (
    id text primary key, type text not null, blob text not null, extra text not null);

CREATE TABLE identity_policy_associations (
    policy_id text not null, endpoint_id text not null, service_id text not null, region_id text not null,
    primary key (endpoint_id, service_id, region_id));

CREATE INDEX identity_policy_associations_policy on identity_policy_associations (policy_id);

CREATE TABLE identity_domain_options (
    domain_id text not null, group_name text not null, option_name text not null, value text not null,
    primary key (domain_id, group_name, option_name));

CREATE TABLE identity_consumers (
    id text primary key, description text, encrypted_secret text not null, extra text not null);

CREATE TABLE identity_request_tokens (
    id text primary key, consumer_id text not null, project_id text not null, encrypted_secret text not null,
    verifier text, user_id text, role_ids text not null, expires_at bigint);

CREATE TABLE identity_access_tokens (
    id text primary key, consumer_id text not null, project_id text not null, encrypted_secret text not null,
    user_id text not null, role_ids text not null, expires_at bigint);

CREATE INDEX identity_access_tokens_user on identity_access_tokens (user_id);

CREATE TABLE identity_registered_limits (
    id text primary key, service_id text not null, region_id text, resource_name text not null, default_limit integer not null,
    description text);

CREATE UNIQUE INDEX identity_registered_limits_same on identity_registered_limits
    (service_id, resource_name, coalesce(region_id, ''));

CREATE TABLE identity_limits (
    id text primary key, registered_limit_id text not null, project_id text, domain_id text, resource_limit integer not null,
    description text);

CREATE UNIQUE INDEX identity_limits_same on identity_limits
    (registered_limit_id, coalesce(project_id, ''), coalesce(domain_id, ''));

CREATE INDEX identity_limits_project on identity_limits (project_id);

CREATE TABLE identity_former_passwords (
    user_id text not null, generation bigint not null, password_hash text not null, primary key (user_id, generation));

CREATE TABLE identity_identity_providers (
    id text primary key, enabled integer not null, description text, domain_id text not null, authorization_ttl integer,
    extra text not null);

CREATE TABLE identity_remote_ids (
    remote_id text primary key, idp_id text not null, position integer not null);

CREATE INDEX identity_remote_ids_idp on identity_remote_ids (idp_id);

CREATE TABLE identity_protocols (
    idp_id text not null, id text not null, mapping_id text not null, remote_id_attribute text, primary key (idp_id, id));

CREATE TABLE identity_mappings (
    id text primary key, rules text not null, schema_version text not null, extra text not null);

CREATE TABLE identity_service_providers (
    id text primary key, enabled integer not null, description text, auth_url text not null, sp_url text not null,
    relay_state_prefix text not null, extra text not null);

CREATE UNIQUE INDEX identity_users_name on identity_users (domain_id, name, foreign_id);

CREATE TABLE identity_federated_users (
    idp_id text not null, protocol_id text not null, unique_id text not null, user_id text not null,
    primary key (idp_id, protocol_id, unique_id));

CREATE TABLE identity_federated_memberships (
    user_id text not null, group_id text not null, valid_until bigint not null, primary key (user_id, group_id));

CREATE INDEX identity_federated_memberships_group on identity_federated_memberships (group_id);

CREATE TABLE identity_used_assertions (id text primary key, expires_at bigint not null);

CREATE TABLE identity_revocation_events (
    id text primary key, at bigint not null, event text not null);

CREATE INDEX identity_revocation_events_at on identity_revocation_events (at);

CREATE TABLE identity_directory_entries (
    id text primary key, domain_id text not null, kind text not null, local_id text not null);

CREATE INDEX identity_directory_entries_domain on identity_directory_entries (domain_id, kind);

CREATE TABLE identity_factor_codes (
    user_id text not null, factor text not null, code_hash text not null, sent_at bigint not null,
    expires_at bigint not null, attempts_left integer not null, primary key (user_id, factor));

CREATE INDEX identity_federated_users_of on identity_federated_users (user_id);

CREATE TABLE identity_federated_sessions (
    id text primary key, idp_id text not null, protocol_id text not null, subject_hash text not null, subject text not null,
    session_index text not null, expires_at bigint not null);

CREATE INDEX identity_federated_sessions_of
    on identity_federated_sessions (idp_id, protocol_id, subject_hash);

CREATE INDEX identity_federated_sessions_end on identity_federated_sessions (expires_at);

CREATE TABLE identity_told_sessions (
    id text primary key, service_provider_id text not null, subject text not null, claims text not null, expires_at bigint not null, user_id text not null default '');

CREATE INDEX identity_told_sessions_of on identity_told_sessions (user_id, service_provider_id);

CREATE INDEX identity_told_sessions_end on identity_told_sessions (expires_at);

CREATE TABLE "network_networks" ("id" text primary key, "project_id" text not null, "description" text not null, "tags" text not null, "created_at" text not null, "updated_at" text not null, "revision_number" integer not null, "name" text not null, "admin_state_up" integer not null, "status" text not null, "shared" integer not null, "external" integer not null, "is_default" integer not null, "mtu" integer not null, "port_security_enabled" integer not null, "network_type" text not null, "physical_network" text, "segmentation_id" integer, "segment_key" text not null unique, "segment" integer not null unique, "dns_domain" text not null, "availability_zone_hints" text not null);

CREATE INDEX "network_networks_by_project_id" on "network_networks" ("project_id");

CREATE TABLE "network_subnets" ("id" text primary key, "project_id" text not null, "description" text not null, "tags" text not null, "created_at" text not null, "updated_at" text not null, "revision_number" integer not null, "network_id" text not null references "network_networks" ("id"), "name" text not null, "ip_version" integer not null, "cidr" text not null, "gateway_ip" text, "enable_dhcp" integer not null, "dns_nameservers" text not null, "host_routes" text not null, "allocation_pools" text not null, "ipv6_address_mode" text, "ipv6_ra_mode" text, "service_types" text not null, "subnetpool_id" text, "dns_publish_fixed_ip" integer not null);

CREATE INDEX "network_subnets_by_network_id" on "network_subnets" ("network_id");

CREATE INDEX "network_subnets_by_project_id" on "network_subnets" ("project_id");

CREATE TABLE "network_ports" ("id" text primary key, "project_id" text not null, "description" text not null, "tags" text not null, "created_at" text not null, "updated_at" text not null, "revision_number" integer not null, "network_id" text not null references "network_networks" ("id"), "name" text not null, "mac_address" text not null, "admin_state_up" integer not null, "status" text not null, "device_id" text not null, "device_owner" text not null, "port_security_enabled" integer not null, "allowed_address_pairs" text not null, "extra_dhcp_opts" text not null, "binding_host_id" text not null, "binding_vnic_type" text not null, "binding_profile" text not null, "dns_name" text not null, "dns_domain" text not null, "propagate_uplink_status" integer not null, "server_index" integer, "server_tag" text, "made_by_compute" integer not null, "tap" text, constraint "network_ports_mac" unique ("network_id", "mac_address"));

CREATE INDEX "network_ports_by_project_id" on "network_ports" ("project_id");

CREATE INDEX "network_ports_by_device_id" on "network_ports" ("device_id");

CREATE TABLE "network_ip_allocations" ("subnet_id" text not null references "network_subnets" ("id"), "ip_address" text not null, "network_id" text not null, "port_id" text not null references "network_ports" ("id"), "position" integer not null, constraint "network_ip_allocations_address" primary key ("subnet_id", "ip_address"));

CREATE INDEX "network_ip_allocations_by_port_id" on "network_ip_allocations" ("port_id");

CREATE INDEX "network_ip_allocations_by_network_id_ip_address" on "network_ip_allocations" ("network_id", "ip_address");

CREATE TABLE "network_security_groups" ("id" text primary key, "project_id" text not null, "description" text not null, "tags" text not null, "created_at" text not null, "updated_at" text not null, "revision_number" integer not null, "name" text not null, "stateful" integer not null, "is_default" integer not null);

CREATE INDEX "network_security_groups_by_project_id" on "network_security_groups" ("project_id");

CREATE UNIQUE INDEX network_security_groups_default on network_security_groups (project_id) where is_default = 1;

CREATE TABLE "network_security_group_rules" ("id" text primary key, "project_id" text not null, "description" text not null, "tags" text not null, "created_at" text not null, "updated_at" text not null, "revision_number" integer not null, "security_group_id" text not null references "network_security_groups" ("id"), "direction" text not null, "ethertype" text not null, "protocol" text, "port_range_min" integer, "port_range_max" integer, "remote_ip_prefix" text, "remote_group_id" text, "remote_address_group_id" text, "fingerprint" text not null, constraint "network_security_group_rules_once" unique ("security_group_id", "fingerprint"));

CREATE INDEX "network_security_group_rules_by_remote_group_id" on "network_security_group_rules" ("remote_group_id");

CREATE TABLE "network_port_security_groups" ("port_id" text not null references "network_ports" ("id"), "security_group_id" text not null references "network_security_groups" ("id"), constraint "network_port_security_groups_pk" primary key ("port_id", "security_group_id"));

CREATE TABLE "network_routers" ("id" text primary key, "project_id" text not null, "description" text not null, "tags" text not null, "created_at" text not null, "updated_at" text not null, "revision_number" integer not null, "name" text not null, "admin_state_up" integer not null, "status" text not null, "gateway_port_id" text, "gateway_network_id" text, "enable_snat" integer not null, "routes" text not null, "host" text, "availability_zone_hints" text not null);

CREATE INDEX "network_routers_by_project_id" on "network_routers" ("project_id");

CREATE TABLE "network_floating_ips" ("id" text primary key, "project_id" text not null, "description" text not null, "tags" text not null, "created_at" text not null, "updated_at" text not null, "revision_number" integer not null, "floating_network_id" text not null, "floating_ip_address" text not null, "floating_port_id" text not null references "network_ports" ("id"), "fixed_port_id" text, "fixed_ip_address" text, "router_id" text, "status" text not null, "dns_name" text not null, "dns_domain" text not null, constraint "network_floating_ips_address" unique ("floating_network_id", "floating_ip_address"), constraint "network_floating_ips_fixed" unique ("floating_network_id", "fixed_port_id", "fixed_ip_address"));

CREATE INDEX "network_floating_ips_by_project_id" on "network_floating_ips" ("project_id");

CREATE INDEX "network_floating_ips_by_fixed_port_id" on "network_floating_ips" ("fixed_port_id");

CREATE INDEX "network_floating_ips_by_router_id" on "network_floating_ips" ("router_id");

CREATE INDEX "network_floating_ips_by_floating_port_id" on "network_floating_ips" ("floating_port_id");

CREATE TABLE "network_rbac_policies" ("id" text primary key, "project_id" text not null, "description" text not null, "tags" text not null, "created_at" text not null, "updated_at" text not null, "revision_number" integer not null, "object_type" text not null, "object_id" text not null references "network_networks" ("id"), "action" text not null, "target_tenant" text not null, constraint "network_rbac_policies_once" unique ("object_id", "action", "target_tenant"));

CREATE INDEX "network_rbac_policies_by_project_id" on "network_rbac_policies" ("project_id");

CREATE INDEX "network_rbac_policies_by_target_tenant" on "network_rbac_policies" ("target_tenant");

CREATE TABLE "network_subnet_pools" ("id" text primary key, "project_id" text not null, "description" text not null, "tags" text not null, "created_at" text not null, "updated_at" text not null, "revision_number" integer not null, "name" text not null, "ip_version" integer not null, "prefixes" text not null, "default_prefixlen" integer not null, "min_prefixlen" integer not null, "max_prefixlen" integer not null, "default_quota" integer, "shared" integer not null, "is_default" integer not null);

CREATE INDEX "network_subnet_pools_by_project_id" on "network_subnet_pools" ("project_id");

CREATE INDEX "network_subnets_by_subnetpool_id" on "network_subnets" ("subnetpool_id");

CREATE TABLE "network_topologies" ("project_id" text primary key, "network_id" text not null, "router_id" text not null);

CREATE TABLE "network_quotas" ("project_id" text not null, "resource" text not null, "quota" integer not null, constraint "network_quotas_pk" primary key ("project_id", "resource"));

CREATE TABLE "network_revision" ("id" integer primary key, "revision" bigint not null, "forgotten" bigint default 0 not null, "noted" bigint default 0 not null);

CREATE TABLE "network_hosts" ("host" text primary key, "plane" text not null, "extensions" text not null, "problems" text not null, "applied_revision" bigint not null, "started_at" text not null, "heartbeat_at" text not null, "wanted_revision" bigint default 0 not null, "own_revision" bigint default 0 not null, "alone" integer default 0 not null);

CREATE TABLE "network_agents" ("id" text primary key, "host" text not null references "network_hosts" ("host"), "agent_type" text not null, "admin_state_up" integer not null, "description" text not null, "created_at" text not null, constraint "network_agents_once" unique ("host", "agent_type"));

CREATE INDEX "network_routers_by_host" on "network_routers" ("host");

CREATE TABLE "network_neighbour_changes" ("of_id" text not null, "revision" bigint not null, "port_id" text not null, constraint "network_neighbour_changes_pk" primary key ("of_id", "revision", "port_id"));

CREATE INDEX "network_neighbour_changes_by_revision" on "network_neighbour_changes" ("revision");

CREATE INDEX "network_ports_by_binding_host_id_network_id" on "network_ports" ("binding_host_id", "network_id");

CREATE INDEX "network_ports_by_network_id_id" on "network_ports" ("network_id", "id");

CREATE INDEX "network_port_security_groups_by_security_group_id_port_id" on "network_port_security_groups" ("security_group_id", "port_id");

CREATE TABLE "placement_providers" ("uuid" text primary key, "name" text not null unique, "parent_uuid" text, "root_uuid" text not null, "generation" integer not null, "changed" bigint not null, "created_at" text not null, "updated_at" text not null);

CREATE INDEX "placement_providers_changed" on "placement_providers" ("changed");

CREATE INDEX "placement_providers_root" on "placement_providers" ("root_uuid");

CREATE TABLE "placement_removed_providers" ("uuid" text primary key, "changed" bigint not null);

CREATE INDEX "placement_removed_providers_changed" on "placement_removed_providers" ("changed");

CREATE TABLE "placement_inventories" ("provider" text not null, "resource_class" text not null, "total" bigint not null, "reserved" bigint not null, "min_unit" bigint not null, "max_unit" bigint not null, "step_size" bigint not null, "allocation_ratio" double precision not null, "capacity" bigint not null, "used" bigint not null, "updated_at" text not null, constraint "placement_inventories_pk" primary key ("provider", "resource_class"));

CREATE INDEX "placement_inventories_class" on "placement_inventories" ("resource_class");

CREATE TABLE "placement_provider_traits" ("provider" text not null, "trait" text not null, constraint "placement_provider_traits_pk" primary key ("provider", "trait"));

CREATE INDEX "placement_provider_traits_trait" on "placement_provider_traits" ("trait");

CREATE TABLE "placement_provider_aggregates" ("provider" text not null, "aggregate" text not null, constraint "placement_provider_aggregates_pk" primary key ("provider", "aggregate"));

CREATE TABLE "placement_traits" ("name" text primary key, "created_at" text not null);

CREATE TABLE "placement_resource_classes" ("name" text primary key, "created_at" text not null);

CREATE TABLE "placement_consumers" ("uuid" text primary key, "project_id" text not null, "user_id" text not null, "type" text, "generation" integer not null, "updated_at" text not null);

CREATE INDEX "placement_consumers_project" on "placement_consumers" ("project_id", "user_id");

CREATE TABLE "placement_allocations" ("consumer" text not null, "provider" text not null, "resource_class" text not null, "used" bigint not null, constraint "placement_allocations_pk" primary key ("consumer", "provider", "resource_class"));

CREATE INDEX "placement_allocations_provider" on "placement_allocations" ("provider", "resource_class");

CREATE INDEX "placement_providers_parent" on "placement_providers" ("parent_uuid");

CREATE TABLE "image_images" ("id" text primary key, "name" text, "status" text not null, "visibility" text not null, "owner" text, "disk_format" text, "container_format" text, "min_disk" integer not null, "min_ram" integer not null, "protected" integer not null, "os_hidden" integer not null, "checksum" text, "os_hash_algo" text, "os_hash_value" text, "size" bigint, "virtual_size" bigint, "blob" text, "alive_at" text, "created_at" text not null, "updated_at" text not null, "found_format" text, "unsafe" text, "base_image_id" text);

CREATE INDEX "image_images_owner" on "image_images" ("owner", "created_at");

CREATE INDEX "image_images_visibility" on "image_images" ("visibility", "created_at");

CREATE TABLE "image_custom_properties" ("image_id" text not null, "name" text not null, "value" text not null, constraint "image_custom_properties_pk" primary key ("image_id", "name"));

CREATE INDEX "image_custom_properties_name" on "image_custom_properties" ("name");

CREATE TABLE "image_tags" ("image_id" text not null, "tag" text not null, constraint "image_tags_pk" primary key ("image_id", "tag"));

CREATE INDEX "image_tags_tag" on "image_tags" ("tag");

CREATE TABLE "image_members" ("image_id" text not null, "member_id" text not null, "status" text not null, "created_at" text not null, "updated_at" text not null, constraint "image_members_pk" primary key ("image_id", "member_id"));

CREATE INDEX "image_members_member" on "image_members" ("member_id");

CREATE TABLE "image_metadef_namespaces" ("id" text primary key, "namespace" text not null unique, "display_name" text, "description" text, "visibility" text not null, "protected" integer not null, "owner" text, "created_at" text not null, "updated_at" text not null);

CREATE TABLE "image_metadef_parts" ("id" text primary key, "namespace_id" text not null, "kind" text not null, "name" text not null, "key" text not null, "body" text not null, "created_at" text not null, "updated_at" text not null, constraint "image_metadef_parts_key" unique ("namespace_id", "kind", "key"));

CREATE TABLE "image_metadef_resource_types" ("name" text primary key, "created_at" text not null, "updated_at" text not null);

CREATE TABLE "image_locations" ("id" text primary key, "image_id" text not null, "store" text not null, "url" text, "metadata" text not null, "position" integer not null, "created_at" text not null);

CREATE INDEX "image_locations_image" on "image_locations" ("image_id");

CREATE TABLE "image_scrubs" ("blob" text not null, "store" text not null, "due_at" text not null, constraint "image_scrubs_pk" primary key ("blob", "store"));

CREATE TABLE "image_tasks" ("id" text primary key, "type" text not null, "status" text not null, "owner" text, "image_id" text, "input" text not null, "result" text, "message" text not null, "request_id" text not null, "user_id" text, "expires_at" text, "created_at" text not null, "updated_at" text not null);

CREATE INDEX "image_tasks_image" on "image_tasks" ("image_id");

CREATE INDEX "image_tasks_owner" on "image_tasks" ("owner", "created_at");

CREATE INDEX "image_tasks_expiry" on "image_tasks" ("expires_at");

CREATE TABLE "image_cached" ("node" text not null, "image_id" text not null, "state" text not null, "blob" text, "size" bigint not null, "hits" integer not null, "last_accessed" text not null, "last_modified" text not null, constraint "image_cached_pk" primary key ("node", "image_id"));

CREATE TABLE "image_transfers" ("user_id" text primary key, "used_until" bigint not null);

CREATE TABLE "image_watched" ("store" text not null, "file" text not null, "size" bigint not null, "changed" text not null, "state" text not null, "image_id" text, constraint "image_watched_pk" primary key ("store", "file"));

CREATE INDEX "image_images_base" on "image_images" ("base_image_id");

CREATE TABLE "compute_servers" ("id" text primary key, "project_id" text not null, "user_id" text not null, "reservation_id" text not null, "launch_index" integer not null, "display_name" text not null, "display_description" text, "hostname" text not null, "host" text, "node" text, "availability_zone" text, "image" text, "image_ref" text, "flavor" text not null, "flavor_id" text not null, "vcpus" integer not null, "memory_mb" integer not null, "vm_state" text not null, "task_state" text, "power_state" integer not null, "progress" integer not null, "created_at" text not null, "updated_at" text not null, "launched_at" text, "key_name" text, "config_drive" integer not null, "metadata" text not null, "access_ip_v4" text, "access_ip_v6" text, "locked_by" text, "locked_reason" text, "root_device_name" text not null, "disk_config" text not null, "trusted_image_certificates" text, "fault" text, "recovery" text, "disk_gb" integer default 0 not null);

CREATE INDEX "compute_servers_host" on "compute_servers" ("host", "vcpus", "memory_mb");

CREATE TABLE "compute_server_guest_data" ("server_id" text primary key, "user_data" text, "public_key" text, "key_type" text, "admin_password" text, "personality" text, "encrypted_password" text, "disk_key" text);

CREATE TABLE "compute_server_tags" ("server_id" text not null, "tag" text not null, constraint "compute_server_tags_pk" primary key ("server_id", "tag"));

CREATE INDEX "compute_server_tags_tag" on "compute_server_tags" ("tag");

CREATE TABLE "compute_request_specs" ("server_id" text primary key, "spec" text not null);

CREATE TABLE "compute_server_explanations" ("server_id" text primary key, "at" text not null, "report" text not null);

CREATE TABLE "compute_host_cleanups" ("server_id" text not null, "host" text not null, "created_at" text not null, constraint "compute_host_cleanups_pk" primary key ("server_id", "host"));

CREATE INDEX "compute_host_cleanups_host" on "compute_host_cleanups" ("host");

CREATE TABLE "compute_hosts" ("id" integer primary key autoincrement, "uuid" text not null unique, "provider_uuid" text not null unique, "name" text not null unique, "facts" text not null, "machine" text not null, "guests" integer not null, "created_at" text not null, "started_at" text not null, "last_seen" text not null, "disabled" integer not null, "disabled_reason" text, "forced_down" integer not null, "dedicated_to" text);

CREATE TABLE "compute_aggregates" ("id" integer primary key autoincrement, "uuid" text not null unique, "name" text not null unique, "metadata" text not null, "created_at" text not null, "updated_at" text);

CREATE TABLE "compute_aggregate_hosts" ("aggregate_id" integer not null, "host" text not null, constraint "compute_aggregate_hosts_pk" primary key ("aggregate_id", "host"));

CREATE INDEX "compute_aggregate_hosts_host" on "compute_aggregate_hosts" ("host");

CREATE TABLE "compute_flavors" ("id" text primary key, "name" text not null unique, "memory_mb" integer not null, "vcpus" integer not null, "root_gb" integer not null, "ephemeral_gb" integer not null, "swap" integer not null, "rxtx_factor" double precision not null, "is_public" integer not null, "disabled" integer not null, "description" text, "extra_specs" text not null, "created_at" text not null, "updated_at" text);

CREATE TABLE "compute_flavor_access" ("flavor_id" text not null, "project_id" text not null, constraint "compute_flavor_access_pk" primary key ("flavor_id", "project_id"));

CREATE INDEX "compute_flavor_access_project" on "compute_flavor_access" ("project_id");

CREATE TABLE "compute_keypairs" ("id" integer primary key autoincrement, "user_id" text not null, "name" text not null, "type" text not null, "public_key" text not null, "fingerprint" text not null, "created_at" text not null, constraint "compute_keypairs_name" unique ("user_id", "name"));

CREATE TABLE "compute_server_groups" ("id" text primary key, "name" text not null, "project_id" text not null, "user_id" text not null, "policy" text not null, "rules" text not null, "created_at" text not null);

CREATE INDEX "compute_server_groups_project" on "compute_server_groups" ("project_id");

CREATE TABLE "compute_server_group_members" ("server_id" text primary key, "group_id" text not null);

CREATE INDEX "compute_server_group_members_group" on "compute_server_group_members" ("group_id");

CREATE TABLE "compute_quotas" ("kind" text not null, "subject" text not null, "resource" text not null, "limit_value" integer not null, constraint "compute_quotas_pk" primary key ("kind", "subject", "resource"));

CREATE TABLE "compute_console_tokens" ("token_hash" text primary key, "server_id" text not null, "console_type" text not null, "host" text not null, "origin" text not null, "expires_at" text not null);

CREATE INDEX "compute_console_tokens_expiry" on "compute_console_tokens" ("expires_at");

CREATE TABLE "compute_usage_audits" ("host" text not null, "period_beginning" text not null, "period_ending" text not null, "instances" integer not null, "errors" integer not null, "message" text not null, constraint "compute_usage_audits_pk" primary key ("host", "period_beginning", "period_ending"));

CREATE TABLE "compute_migrations" ("id" integer primary key autoincrement, "uuid" text not null unique, "server_id" text not null, "project_id" text not null, "user_id" text not null, "type" text not null, "status" text not null, "source_host" text not null, "source_node" text, "dest_host" text, "dest_node" text, "dest_address" text, "old_zone" text, "old_flavor" text not null, "new_flavor" text not null, "old_vm_state" text not null, "created_at" text not null, "updated_at" text not null);

CREATE INDEX "compute_migrations_server" on "compute_migrations" ("server_id");

CREATE INDEX "compute_migrations_created" on "compute_migrations" ("created_at", "id");

CREATE INDEX "compute_migrations_status" on "compute_migrations" ("status");

CREATE TABLE "compute_host_signals" ("host" text not null, "name" text not null, "value" text not null, "reported_at" text not null, constraint "compute_host_signals_key" primary key ("host", "name"));

CREATE TABLE "compute_block_devices" ("id" text primary key, "server_id" text not null, "position" integer not null, "kind" text not null, "source_type" text not null, "source_id" text, "volume_id" text, "attachment_id" text, "boot_index" integer not null, "device_name" text, "disk_bus" text, "size" integer, "delete_on_termination" integer not null, "tag" text);

CREATE UNIQUE INDEX "compute_block_devices_volume" on "compute_block_devices" ("server_id", "volume_id");

CREATE INDEX "compute_block_devices_of_volume" on "compute_block_devices" ("volume_id");

CREATE TABLE "compute_place_signals" ("level" text not null, "place" text not null, "name" text not null, "value" text not null, "reported_at" text not null, constraint "compute_place_signals_key" primary key ("level", "place", "name"));

CREATE TABLE "compute_guest_cells" ("consumer" text not null, "cell" integer not null, "host" text not null, "host_cell" integer not null, "memory_mb" integer not null, "page_kb" integer, "shared_vcpus" integer not null, "threads" integer not null, constraint "compute_guest_cells_key" primary key ("consumer", "cell"));

CREATE INDEX "compute_guest_cells_host" on "compute_guest_cells" ("host");

CREATE TABLE "compute_pinned_cpus" ("host" text not null, "cpu" integer not null, "consumer" text not null, "cell" integer not null, "vcpu" integer, constraint "compute_pinned_cpus_key" primary key ("host", "cpu"));

CREATE INDEX "compute_pinned_cpus_consumer" on "compute_pinned_cpus" ("consumer");

CREATE TABLE "compute_claimed_devices" ("host" text not null, "address" text not null, "consumer" text not null, "alias" text not null, constraint "compute_claimed_devices_key" primary key ("host", "address"));

CREATE INDEX "compute_claimed_devices_consumer" on "compute_claimed_devices" ("consumer");

CREATE TABLE "compute_rate_limits" ("user_id" text not null, "rate_limit" text not null, "used_until" bigint not null, constraint "compute_rate_limits_key" primary key ("user_id", "rate_limit"));

CREATE TABLE "compute_dedicated_hosts" ("id" text primary key, "host" text not null, "project_id" text not null, "vcpus" integer not null, "memory_mb" integer not null, "local_gb" integer not null, "started_at" text not null, "ended_at" text);

CREATE INDEX "compute_dedicated_hosts_ended" on "compute_dedicated_hosts" ("ended_at", "project_id");

CREATE TABLE "compute_flavor_numbers" ("number" integer primary key autoincrement, "flavor_id" text not null unique);

CREATE TABLE "compute_maintenances" ("id" text primary key, "kind" text not null, "host" text, "live" text not null, "together" integer not null, "state" text not null, "problem" text, "created_at" text not null, "ended_at" text);

CREATE INDEX "compute_maintenances_host" on "compute_maintenances" ("host", "created_at");

CREATE TABLE "compute_maintenance_servers" ("maintenance_id" text not null, "server_id" text not null, "position" integer not null, "from_host" text not null, "to_host" text, "act" text, "move" text, "state" text not null, "reason" text, "since" text not null, constraint "compute_maintenance_servers_key" primary key ("maintenance_id", "server_id"));

CREATE TABLE "compute_deleted_disks" ("image_id" text primary key, "server_id" text not null, "expires_at" text not null);

CREATE INDEX "compute_deleted_disks_expires" on "compute_deleted_disks" ("expires_at");

CREATE INDEX "compute_servers_usage" on "compute_servers" ("project_id", "vm_state", "vcpus", "memory_mb", "disk_gb");

CREATE TABLE "compute_fencings" ("id" text primary key, "host" text not null, "state" text not null, "host_seen" text not null, "result" text, "output" text, "created_at" text not null, "ended_at" text);

CREATE INDEX "compute_fencings_host" on "compute_fencings" ("host", "created_at");

CREATE INDEX "compute_servers_list" on "compute_servers" ("project_id", "created_at", "id", "vm_state", "display_name");

CREATE TABLE "compute_server_software" ("server_id" text primary key, "driver" text not null, "manifest" text, "manifest_sha256" text, "status" text not null, "run" text, "message" text, "created_at" text not null, "updated_at" text not null, "silences" integer default 0 not null, "silent_at" text, "ask_at" text);

CREATE INDEX "compute_server_software_status" on "compute_server_software" ("status");

CREATE TABLE "compute_server_packages" ("server_id" text not null, "name" text not null, "wanted" integer not null, "wanted_version" text, "state" text not null, "version" text, "message" text, "updated_at" text not null, constraint "compute_server_packages_key" primary key ("server_id", "name"));

CREATE TABLE "compute_bundles" ("id" text primary key, "name" text not null, "project_id" text not null, "user_id" text not null, "reservation_id" text not null, "servers" text not null, "created_at" text not null);

CREATE TABLE "compute_links" ("id" text primary key, "bundle_id" text not null, "server_a" text not null, "server_b" text not null, "max_hops" integer, "bandwidth" integer not null);

CREATE TABLE "compute_link_ends" ("link_id" text not null, "server_id" text not null, "consumer" text not null, "host" text not null, constraint "compute_link_ends_pk" primary key ("link_id", "consumer"));

CREATE INDEX "compute_bundles_reservation" on "compute_bundles" ("reservation_id");

CREATE INDEX "compute_bundles_project" on "compute_bundles" ("project_id", "created_at");

CREATE INDEX "compute_links_bundle" on "compute_links" ("bundle_id");

CREATE INDEX "compute_link_ends_consumer" on "compute_link_ends" ("consumer");

CREATE TABLE "compute_guest_works" ("server_id" text not null, "work" text not null, "status" text not null, "silences" integer default 0 not null, "silent_at" text, "ask_at" text, constraint "compute_guest_works_key" primary key ("server_id", "work"));

CREATE INDEX "compute_guest_works_status" on "compute_guest_works" ("status");

CREATE TABLE "compute_server_mappings" ("server_id" text primary key, "cell" text, "project_id" text not null);

CREATE TABLE "compute_build_requests" ("server_id" text primary key, "networks" text not null, "security_groups" text not null, "created_at" text not null);

CREATE TABLE "compute_extension_values" ("server_id" text not null references "compute_servers" ("id") on delete cascade, "name" text not null, "value" text not null, constraint "compute_extension_values_key" primary key ("server_id", "name"));

CREATE TABLE "compute_agent_builds" ("id" integer primary key autoincrement, "hypervisor" text not null, "os" text not null, "architecture" text not null, "version" text not null, "url" text not null, "md5hash" text not null, "offered" integer not null, constraint "compute_agent_builds_guest" unique ("hypervisor", "os", "architecture"));

CREATE TABLE "compute_guest_agents" ("server_id" text primary key, "version" text, "wanted_version" text, "message" text, "updated_at" text not null);

CREATE TABLE "event_webhooks" ("id" text primary key, "url" text not null, "topic" text not null, "secret" text, "types" text not null, "format" text not null, "state" text not null, "user_id" text not null, "tx" bigint not null, "seq" bigint not null, "failures" integer not null, "failing_since" text, "next_attempt_at" text not null, "last_error" text, "expires_at" text, "created_at" text not null, constraint "event_webhooks_once" unique ("url", "topic"));

insert into "kernel_migrations" values
('kernel', '0001-initial'),
('kernel', '0002-events-by-request'),
('kernel', '0003-events-in-order'),
('kernel', '0004-facts-of-callers'),
('kernel', '0005-undone-steps'),
('kernel', '0006-sagas-in-order'),
('identity', '0001-initial'),
('identity', '0002-unknown-logins'),
('identity', '0003-trusts'),
('identity', '0004-expiry-micros'),
('identity', '0005-endpoint-filters-policies-consumers'),
('identity', '0006-limits'),
('identity', '0007-password-rules'),
('identity', '0008-federation'),
('identity', '0009-federated-users'),
('identity', '0010-revocation-events'),
('identity', '0011-directories'),
('identity', '0012-factor-codes'),
('identity', '0013-several-federated'),
('identity', '0014-federated-sessions'),
('identity', '0015-told-sessions'),
('network', '0001-initial'),
('network', '0002-host-revisions'),
('network', '0003-neighbours'),
('placement', '0001-initial'),
('placement', '0002-parents'),
('image', '0001-initial'),
('image', '0002-metadefs'),
('image', '0003-stores'),
('image', '0004-transfers'),
('image', '0005-watched'),
('image', '0006-contents'),
('image', '0007-bases'),
('compute', '0001-initial'),
('compute', '0002-hosts-and-flavors'),
('compute', '0003-guest-passwords-and-consoles'),
('compute', '0004-usage-audits'),
('compute', '0005-moves'),
('compute', '0006-host-signals'),
('compute', '0007-block-devices'),
('compute', '0008-place-signals'),
('compute', '0009-rooms'),
('compute', '0010-rate-limits'),
('compute', '0011-dedicated-hosts'),
('compute', '0012-disk-keys'),
('compute', '0013-flavor-numbers'),
('compute', '0014-maintenances'),
('compute', '0015-deleted-disks'),
('compute', '0016-disk-amounts'),
('compute', '0017-number-all-flavors'),
('compute', '0018-fencings'),
('compute', '0019-list-index'),
('compute', '0020-software'),
('compute', '0021-bundles'),
('compute', '0022-guest-works'),
('compute', '0023-build-requests'),
('compute', '0024-extension-values'),
('compute', '0025-agent-builds'),
('compute', '0026-silent-agents'),
('event', '0001-webhooks');

insert into "identity_generation" values
(1, 1);

insert into "identity_unknown_logins" values
(1, 0);

insert into "network_revision" values
(1, 1, 1, 1);

insert into "image_metadef_namespaces" values
('c3555576-ea75-573e-97e9-d84cd4576569', 'CIM::ProcessorAllocationSettingData', 'CIM: processor allocation', 'How virtual processors are allocated, in the terms of the DMTF CIM schema.', 'public', 1, 'admin', '2026-01-01T00:00:00.000Z', '2026-01-01T00:00:00.000Z'),
('e390fa59-7f91-54fa-a4ac-7f94abbccc86', 'CIM::ResourceAllocationSettingData', 'CIM: resource allocation', 'How virtual resources are allocated, in the terms of the DMTF CIM schema.', 'public', 1, 'admin', '2026-01-01T00:00:00.000Z', '2026-01-01T00:00:00.000Z'),
('1ad660fc-cd68-5c5c-817d-1ee1328c5849', 'CIM::StorageAllocationSettingData', 'CIM: storage allocation', 'How virtual storage is allocated, in the terms of the DMTF CIM schema.', 'public', 1, 'admin', '2026-01-01T00:00:00.000Z', '2026-01-01T00:00:00.000Z'),
('bc58f82a-a1fd-579b-a918-a161508235eb', 'CIM::VirtualSystemSettingData', 'CIM: virtual system', 'What a virtual system is, in the terms of the DMTF CIM schema.', 'public', 1, 'admin', '2026-01-01T00:00:00.000Z', '2026-01-01T00:00:00.000Z'),
('5faa8d04-fc4e-5030-abc3-4b94bb4e1888', 'OS::Cinder::Volumetype', 'Volume type', 'The volume type for volumes that are made of an image.', 'public', 1, 'admin', '2026-01-01T00:00:00.000Z', '2026-01-01T00:00:00.000Z'),
('358ddd57-2b3a-5d9f-83ed-53341bce61e0', 'OS::Compute::AggregateDiskFilter', 'Disk overcommitment of an aggregate', 'What the scheduler reads of a host aggregate about disk.', 'public', 1, 'admin', '2026-01-01T00:00:00.000Z', '2026-01-01T00:00:00.000Z'),
('56acdf20-3e4c-5099-beb6-407d5d611ef5', 'OS::Compute::AggregateIoOpsFilter', 'I/O operations of an aggregate', 'What the scheduler reads of a host aggregate about work under way.', 'public', 1, 'admin', '2026-01-01T00:00:00.000Z', '2026-01-01T00:00:00.000Z'),
('09f19b44-2dce-56d6-8c45-93d9ecedc99a', 'OS::Compute::AggregateNumInstancesFilter', 'Number of servers in an aggregate', 'What the scheduler reads of a host aggregate about the number of servers a host.', 'public', 0, 'admin', '2026-01-01T00:00:00.000Z', '2026-01-01T00:00:00.000Z'),
('ab2e9651-236b-58e5-976d-0795bba1793f', 'OS::Compute::CPUMode', 'CPU mode', 'The model of processor that a guest sees.', 'public', 0, 'admin', '2026-01-01T00:00:00.000Z', '2026-01-01T00:00:00.000Z'),
('fd0bf25c-ddd0-50ff-997d-a2ee73910775', 'OS::Compute::CPUPinning', 'CPU pinning', 'Whether the processors of a guest have host processors of their own.', 'public', 1, 'admin', '2026-01-01T00:00:00.000Z', '2026-01-01T00:00:00.000Z'),
('157f0deb-9b5d-5520-83e0-4253ab1c8287', 'OS::Compute::GuestMemoryBacking', 'Guest memory backing', 'The size of the pages that back a guest''s memory.', 'public', 1, 'admin', '2026-01-01T00:00:00.000Z', '2026-01-01T00:00:00.000Z'),
('43df5d7b-2f1b-5b50-b581-bc7f73ec6a4a', 'OS::Compute::GuestShutdownBehavior', 'Shutdown of guests', 'How long a guest has to shut down.', 'public', 1, 'admin', '2026-01-01T00:00:00.000Z', '2026-01-01T00:00:00.000Z'),
('2e808fc7-38f2-5ef5-a952-72d4e662b114', 'OS::Compute::HostCapabilities', 'Host capabilities', 'What a host has to be able to do, compared by the scheduler.', 'public', 1, 'admin', '2026-01-01T00:00:00.000Z', '2026-01-01T00:00:00.000Z'),
('1165dcfe-c9a0-5f1c-b5e5-bacbd07898de', 'OS::Compute::Hypervisor', 'Hypervisor', 'The hypervisor that an image is made for.', 'public', 1, 'admin', '2026-01-01T00:00:00.000Z', '2026-01-01T00:00:00.000Z'),
('8a34101e-fa26-5ebf-9fa2-85d6287d0c45', 'OS::Compute::InstanceData', 'Data for servers', 'Whether a server needs a configuration drive or an administrator''s password.', 'public', 1, 'admin', '2026-01-01T00:00:00.000Z', '2026-01-01T00:00:00.000Z'),
('72f6339e-c65c-5091-8c81-60ff805f1fb9', 'OS::Compute::Libvirt', 'Virtual hardware', 'Virtual hardware that an image or a flavor asks for.', 'public', 1, 'admin', '2026-01-01T00:00:00.000Z', '2026-01-01T00:00:00.000Z'),
('c38c190c-65df-5138-8eba-00bfe1f944d2', 'OS::Compute::LibvirtImage', 'Virtual hardware of an image', 'The virtual hardware that an image asks for.', 'public', 1, 'admin', '2026-01-01T00:00:00.000Z', '2026-01-01T00:00:00.000Z'),
('15cda838-62b5-57d8-9a94-3a3d386e1970', 'OS::Compute::Quota', 'Limits of a flavor', 'How much of processor, disk and network a server may use.', 'public', 1, 'admin', '2026-01-01T00:00:00.000Z', '2026-01-01T00:00:00.000Z'),
('f52dfdca-6b25-593a-b2b8-a133bb97b083', 'OS::Compute::RandomNumberGenerator', 'Random number generator', 'A source of random numbers for guests.', 'public', 1, 'admin', '2026-01-01T00:00:00.000Z', '2026-01-01T00:00:00.000Z'),
('c067e28b-5462-5682-bf6c-ef26b823f684', 'OS::Compute::TPM', 'Virtual TPM device', 'The trusted platform module that a guest sees.', 'public', 1, 'admin', '2026-01-01T00:00:00.000Z', '2026-01-01T00:00:00.000Z'),
('a5fa18e7-af29-5868-be51-d27873b1d47c', 'OS::Compute::VMware', 'VMware options of images', 'What VMware hosts read of an image.', 'public', 1, 'admin', '2026-01-01T00:00:00.000Z', '2026-01-01T00:00:00.000Z'),
('a65f2d6e-b877-59d6-901f-1204d4227087', 'OS::Compute::VMwareFlavor', 'VMware options of flavors', 'What VMware hosts read of a flavor.', 'public', 1, 'admin', '2026-01-01T00:00:00.000Z', '2026-01-01T00:00:00.000Z'),
('d5527f5b-85ff-5643-a0ea-5ce54647119e', 'OS::Compute::VMwareQuotaFlavor', 'VMware limits of flavors', 'How much of a VMware host a server may use.', 'public', 1, 'admin', '2026-01-01T00:00:00.000Z', '2026-01-01T00:00:00.000Z'),
('a706fa78-789f-584a-a594-6e7cfb00b25e', 'OS::Compute::VTPM', 'Virtual TPM traits', 'The trusted platform module that a host has to offer.', 'public', 1, 'admin', '2026-01-01T00:00:00.000Z', '2026-01-01T00:00:00.000Z'),
('4b8684f5-4f60-5e2a-907b-13b09e94e716', 'OS::Compute::VirtCPUTopology', 'Virtual CPU topology', 'Sockets, cores and threads as a guest sees them.', 'public', 1, 'admin', '2026-01-01T00:00:00.000Z', '2026-01-01T00:00:00.000Z'),
('613a5642-ac26-5587-8092-d55dd26ecf73', 'OS::Compute::Watchdog', 'Watchdog', 'What happens when the watchdog device finds that a guest hangs.', 'public', 1, 'admin', '2026-01-01T00:00:00.000Z', '2026-01-01T00:00:00.000Z'),
('b4554c6f-49fd-58b2-b611-b71afd93d694', 'OS::Compute::XenAPI', 'XenAPI options', 'What Xen hosts read of an image.', 'public', 1, 'admin', '2026-01-01T00:00:00.000Z', '2026-01-01T00:00:00.000Z'),
('74717942-b5db-5f86-9b62-bbd2ea0e8c15', 'OS::Glance::CommonImageProperties', 'Common image properties', 'Properties that mean the same in most clouds.', 'public', 1, 'admin', '2026-01-01T00:00:00.000Z', '2026-01-01T00:00:00.000Z'),
('ea034c68-da18-52a8-8faa-a7128ba21908', 'OS::Glance::Signatures', 'Image signatures', 'The signature of an image, and where the certificate is that verifies it.', 'public', 0, 'admin', '2026-01-01T00:00:00.000Z', '2026-01-01T00:00:00.000Z'),
('140a364f-825c-54c4-a1c4-9e77fcfe5d61', 'OS::OperatingSystem', 'Operating system', 'The operating system in an image.', 'public', 1, 'admin', '2026-01-01T00:00:00.000Z', '2026-01-01T00:00:00.000Z'),
('6e233bc4-d0d2-57d3-891a-f76800dabdfa', 'OS::Software::DBMS', 'Databases', 'Database software in an image or on a server.', 'public', 1, 'admin', '2026-01-01T00:00:00.000Z', '2026-01-01T00:00:00.000Z'),
('f41863e5-1b6c-57b8-afe0-fec8b4b610cc', 'OS::Software::Runtimes', 'Language runtimes', 'Runtimes of programming languages in an image or on a server.', 'public', 1, 'admin', '2026-01-01T00:00:00.000Z', '2026-01-01T00:00:00.000Z'),
('b226148a-1718-5863-b156-73c3b3095de8', 'OS::Software::WebServers', 'Web servers', 'Web server software in an image or on a server.', 'public', 1, 'admin', '2026-01-01T00:00:00.000Z', '2026-01-01T00:00:00.000Z');

insert into "image_metadef_parts" values
('3643ffe6-a9b1-56d5-a2a2-8024a6236e9a', 'c3555576-ea75-573e-97e9-d84cd4576569', 'resource_type', 'OS::Cinder::Volume', 'OS::Cinder::Volume', '{"prefix":"CIM_PASD_","properties_target":"image"}', '2026-01-01T00:00:00.000Z', '2026-01-01T00:00:00.000Z'),
('9b740de4-f8cf-52b5-9520-27120c9773c9', 'c3555576-ea75-573e-97e9-d84cd4576569', 'resource_type', 'OS::Glance::Image', 'OS::Glance::Image', '{"prefix":"CIM_PASD_"}', '2026-01-01T00:00:00.000Z', '2026-01-01T00:00:00.000Z'),
('eb3ad2a5-16fc-5c2f-80ae-50c721694d10', 'c3555576-ea75-573e-97e9-d84cd4576569', 'resource_type', 'OS::Nova::Aggregate', 'OS::Nova::Aggregate', '{"prefix":"CIM_PASD_"}', '2026-01-01T00:00:00.000Z', '2026-01-01T00:00:00.000Z'),
('b25c959d-5223-5928-bdf0-29226faab0a3', 'c3555576-ea75-573e-97e9-d84cd4576569', 'resource_type', 'OS::Nova::Flavor', 'OS::Nova::Flavor', '{"prefix":"CIM_PASD_"}', '2026-01-01T00:00:00.000Z', '2026-01-01T00:00:00.000Z'),
('f00d41c0-9a99-57d1-b3c0-ffa295d3aa25', 'c3555576-ea75-573e-97e9-d84cd4576569', 'resource_type', 'OS::Nova::Server', 'OS::Nova::Server', '{"properties_target":"scheduler_hints"}', '2026-01-01T00:00:00.000Z', '2026-01-01T00:00:00.000Z'),
('f4c9830c-cb21-5ab2-8686-2c099282ffaf', 'c3555576-ea75-573e-97e9-d84cd4576569', 'property', 'InstructionSet', 'InstructionSet', '{"title":"Instruction set","type":"string","operators":["<or>"],"enum":["x86:i386","x86:i486","x86:i586","x86:i686","x86:64","IA-64:IA-64","AS/400:TIMI","Power:Power_2.03","Power:Power_2.04","Power:Power_2.05","Power:Power_2.06","S/390:ESA/390","S/390:z/Architecture","S/390:z/Architecture_2","PA-RISC:PA-RISC_1.0","PA-RISC:PA-RISC_2.0","ARM:A32","ARM:A64","MIPS:MIPS_I","MIPS:MIPS_II","MIPS:MIPS_III","MIPS:MIPS_IV","MIPS:MIPS_V","MIPS:MIPS32","MIPS64:MIPS64","Alpha:Alpha","SPARC:SPARC_V7","SPARC:SPARC_V8","SPARC:SPARC_V9","SPARC:SPARC_JPS1","SPARC:UltraSPARC2005","SPARC:UltraSPARC2007","68k:68000","68k:68010","68k:68020","68k:68030","68k:68040","68k:68060"]}', '2026-01-01T00:00:00.000Z', '2026-01-01T00:00:00.000Z'),
('54d1fdc9-da2d-50df-8867-4084bd2d1052', 'c3555576-ea75-573e-97e9-d84cd4576569', 'property', 'ProcessorArchitecture', 'ProcessorArchitecture', '{"title":"Processor architecture","type":"string","operators":["<or>"],"enum":["x86","IA-64","AS/400","Power","S/390","PA-RISC","ARM","MIPS","Alpha","SPARC","68k"]}', '2026-01-01T00:00:00.000Z', '2026-01-01T00:00:00.000Z'),
('89cc1674-fa1c-515f-b5ce-88ee82e04c6b', 'c3555576-ea75-573e-97e9-d84cd4576569', 'property', 'InstructionSetExtensionName', 'InstructionSetExtensionName', '{"title":"Instruction set extension name","type":"array","operators":["<or>","<all-in>"],"items":{"type":"string","enum":["x86:3DNow","x86:3DNowExt","x86:ABM","x86:AES","x86:AVX","x86:AVX2","x86:BMI","x86:CX16","x86:F16C","x86:FSGSBASE","x86:LWP","x86:MMX","x86:PCLMUL","x86:RDRND","x86:SSE2","x86:SSE3","x86:SSSE3","x86:SSE4A","x86:SSE41","x86:SSE42","x86:FMA3","x86:FMA4","x86:XOP","x86:TBM","x86:VT-d","x86:VT-x","x86:EPT","x86:SVM","PA-RISC:MAX","PA-RISC:MAX2","ARM:DSP","ARM:Jazelle-DBX","ARM:Thumb","ARM:Thumb-2","ARM:ThumbEE)","ARM:VFP","ARM:NEON","ARM:TrustZone","MIPS:MDMX","MIPS:MIPS-3D","Alpha:BWX","Alpha:FIX","Alpha:CIX","Alpha:MVI"]}}', '2026-01-01T00:00:00.000Z', '2026-01-01T00:00:00.000Z'),
('56f0dd4c-de4a-5d0b-8dbf-922416a049cd', 'e390fa59-7f91-54fa-a4ac-7f94abbccc86', 'resource_type', 'OS::Cinder::Volume', 'OS::Cinder::Volume', '{"prefix":"CIM_RASD_","properties_target":"image"}', '2026-01-01T00:00:00.000Z', '2026-01-01T00:00:00.000Z'),
('eb9f2590-77df-5568-8e9b-2676cb86c13e', 'e390fa59-7f91-54fa-a4ac-7f94abbccc86', 'resource_type', 'OS::Nova::Aggregate', 'OS::Nova::Aggregate', '{"prefix":"CIM_RASD_"}', '2026-01-01T00:00:00.000Z', '2026-01-01T00:00:00.000Z'),
('0fbd5ccb-20c7-58b5-ae91-a5edd17f1a04', 'e390fa59-7f91-54fa-a4ac-7f94abbccc86', 'resource_type', 'OS::Nova::Flavor', 'OS::Nova::Flavor', '{"prefix":"CIM_RASD_"}', '2026-01-01T00:00:00.000Z', '2026-01-01T00:00:00.000Z'),
('a4aa9e8e-4c0a-581f-9176-878f2bc46ab9', 'e390fa59-7f91-54fa-a4ac-7f94abbccc86', 'property', 'Address', 'Address', '{"title":"Address","type":"string"}', '2026-01-01T00:00:00.000Z', '2026-01-01T00:00:00.000Z'),
('4b031af5-81ed-5a6c-a601-c2e683f7395a', 'e390fa59-7f91-54fa-a4ac-7f94abbccc86', 'property', 'AddressOnParent', 'AddressOnParent', '{"title":"Address on parent","type":"string"}', '2026-01-01T00:00:00.000Z', '2026-01-01T00:00:00.000Z'),
('be840ffc-c37f-580d-82f6-bc88b0bbdcf4', 'e390fa59-7f91-54fa-a4ac-7f94abbccc86', 'property', 'AllocationUnits', 'AllocationUnits', '{"title":"Allocation units","type":"string"}', '2026-01-01T00:00:00.000Z', '2026-01-01T00:00:00.000Z'),
('bfb8aa04-feb5-5bae-ac56-bd316c6f9db3', 'e390fa59-7f91-54fa-a4ac-7f94abbccc86', 'property', 'AutomaticAllocation', 'AutomaticAllocation', '{"title":"Automatic allocation","type":"boolean"}', '2026-01-01T00:00:00.000Z', '2026-01-01T00:00:00.000Z'),
('d8ed0453-31b6-5e48-ba2f-5f52a52d369a', 'e390fa59-7f91-54fa-a4ac-7f94abbccc86', 'property', 'AutomaticDeallocation', 'AutomaticDeallocation', '{"title":"Automatic deallocation","type":"boolean"}', '2026-01-01T00:00:00.000Z', '2026-01-01T00:00:00.000Z'),
('22d65607-9974-5287-8d6e-4dd79b619494', 'e390fa59-7f91-54fa-a4ac-7f94abbccc86', 'property', 'ConsumerVisibility', 'ConsumerVisibility', '{"title":"Consumer visibility","type":"string","operators":["<or>"],"enum":["Unknown","Passed-Through","Virtualized","Not represented","DMTF reserved","Vendor Reserved"]}', '2026-01-01T00:00:00.000Z', '2026-01-01T00:00:00.000Z'),
('70818307-8b06-5ca8-8d2a-146c51856448', 'e390fa59-7f91-54fa-a4ac-7f94abbccc86', 'property', 'Limit', 'Limit', '{"title":"Limit","type":"string"}', '2026-01-01T00:00:00.000Z', '2026-01-01T00:00:00.000Z'),
('b49ecad5-37a1-5faa-a38e-cb6698243493', 'e390fa59-7f91-54fa-a4ac-7f94abbccc86', 'property', 'MappingBehavior', 'MappingBehavior', '{"title":"Mapping behavior","type":"string","operators":["<or>"],"enum":["Unknown","Not Supported","Dedicated","Soft Affinity","Hard Affinity","DMTF Reserved","Vendor Reserved"]}', '2026-01-01T00:00:00.000Z', '2026-01-01T00:00:00.000Z'),
('57189c7c-6ee6-52b0-bad5-c43b257e2186', 'e390fa59-7f91-54fa-a4ac-7f94abbccc86', 'property', 'OtherResourceType', 'OtherResourceType', '{"title":"Other resource type","type":"string"}', '2026-01-01T00:00:00.000Z', '2026-01-01T00:00:00.000Z'),
('87d56287-6ff3-5784-ba35-cc205bc0eaa9', 'e390fa59-7f91-54fa-a4ac-7f94abbccc86', 'property', 'Parent', 'Parent', '{"title":"Parent","type":"string"}', '2026-01-01T00:00:00.000Z', '2026-01-01T00:00:00.000Z'),
('02ea785d-9723-5ad6-bd77-70654d0e2b13', 'e390fa59-7f91-54fa-a4ac-7f94abbccc86', 'property', 'PoolID', 'PoolID', '{"title":"Pool ID","type":"string"}', '2026-01-01T00:00:00.000Z', '2026-01-01T00:00:00.000Z'),
('39af65df-26c8-534b-a4f0-e9fbc46ca388', 'e390fa59-7f91-54fa-a4ac-7f94abbccc86', 'property', 'Reservation', 'Reservation', '{"title":"Reservation","type":"string"}', '2026-01-01T00:00:00.000Z', '2026-01-01T00:00:00.000Z'),
('4c2e6894-dc82-5b17-83d4-3606d26c5085', 'e390fa59-7f91-54fa-a4ac-7f94abbccc86', 'property', 'ResourceSubType', 'ResourceSubType', '{"title":"Resource sub type","type":"string"}', '2026-01-01T00:00:00.000Z', '2026-01-01T00:00:00.000Z'),
('ea485be7-d624-5da7-bed1-6e8231644bb9', 'e390fa59-7f91-54fa-a4ac-7f94abbccc86', 'property', 'ResourceType', 'ResourceType', '{"title":"Resource type","type":"string","operators":["<or>"],"enum":["Other","Computer System","Processor","Memory","IDE Controller","Parallel SCSI HBA","FC HBA","iSCSI HBA","IB HCA","Ethernet Adapter","Other Network Adapter","I/O Slot","I/O Device","Floppy Drive","CD Drive","DVD drive","Disk Drive","Tape Drive","Storage Extent","Other storage device","Serial port","Parallel port","USB Controller","Graphics controller","IEEE 1394 Controller","Partitionable Unit","Base Partitionable Unit","Power","Cooling Capacity","Ethernet Switch Port","Logical Disk","Storage Volume","Ethernet Connection","DMTF reserved","Vendor Reserved"]}', '2026-01-01T00:00:00.000Z', '2026-01-01T00:00:00.000Z'),
('7fb584fe-b901-5876-a312-7b495faf2f6c', 'e390fa59-7f91-54fa-a4ac-7f94abbccc86', 'property', 'VirtualQuantity', 'VirtualQuantity', '{"title":"Virtual quantity","type":"string"}', '2026-01-01T00:00:00.000Z', '2026-01-01T00:00:00.000Z'),
('79de2336-9cbc-5c84-be6b-51219fb13e58', 'e390fa59-7f91-54fa-a4ac-7f94abbccc86', 'property', 'VirtualQuantityUnits', 'VirtualQuantityUnits', '{"title":"Virtual quantity units","type":"string"}', '2026-01-01T00:00:00.000Z', '2026-01-01T00:00:00.000Z'),
('dc336af5-aa3f-551c-9d3e-dd5e212478db', 'e390fa59-7f91-54fa-a4ac-7f94abbccc86', 'property', 'Weight', 'Weight', '{"title":"Weight","type":"string"}', '2026-01-01T00:00:00.000Z', '2026-01-01T00:00:00.000Z'),
('cb6492d4-af74-50bc-b806-7142aa5eb605', 'e390fa59-7f91-54fa-a4ac-7f94abbccc86', 'property', 'Connection', 'Connection', '{"title":"Connection","type":"string"}', '2026-01-01T00:00:00.000Z', '2026-01-01T00:00:00.000Z'),
('3f5a9168-54c8-5572-adf6-e3294f63417c', 'e390fa59-7f91-54fa-a4ac-7f94abbccc86', 'property', 'HostResource', 'HostResource', '{"title":"Host resource","type":"string"}', '2026-01-01T00:00:00.000Z', '2026-01-01T00:00:00.000Z'),
('ce4f2f63-5d1f-5659-9ef9-7af00e3237e3', '1ad660fc-cd68-5c5c-817d-1ee1328c5849', 'resource_type', 'OS::Cinder::Volume', 'OS::Cinder::Volume', '{"prefix":"CIM_SASD_"}', '2026-01-01T00:00:00.000Z', '2026-01-01T00:00:00.000Z'),
('42c59c62-c84f-5610-ac48-24291988f8e8', '1ad660fc-cd68-5c5c-817d-1ee1328c5849', 'resource_type', 'OS::Nova::Aggregate', 'OS::Nova::Aggregate', '{"prefix":"CIM_SASD_"}', '2026-01-01T00:00:00.000Z', '2026-01-01T00:00:00.000Z'),
('78a438fd-3250-53b7-8537-4f7c9eb57660', '1ad660fc-cd68-5c5c-817d-1ee1328c5849', 'resource_type', 'OS::Nova::Flavor', 'OS::Nova::Flavor', '{"prefix":"CIM_SASD_"}', '2026-01-01T00:00:00.000Z', '2026-01-01T00:00:00.000Z'),
('af7e70a8-4be2-5b23-b79e-3ab25cef5fe8', '1ad660fc-cd68-5c5c-817d-1ee1328c5849', 'property', 'Access', 'Access', '{"title":"Access","type":"string","operators":["<or>"],"enum":["Unknown","Readable","Writeable","Read/Write Supported","DMTF Reserved"]}', '2026-01-01T00:00:00.000Z', '2026-01-01T00:00:00.000Z'),
('03f1fb48-24e7-58c8-8f23-7ec3c052e38d', '1ad660fc-cd68-5c5c-817d-1ee1328c5849', 'property', 'HostExtentName', 'HostExtentName', '{"title":"Host extent name","type":"string"}', '2026-01-01T00:00:00.000Z', '2026-01-01T00:00:00.000Z'),
('b18fd6d0-7b6b-5307-a56f-f0eeea1a6846', '1ad660fc-cd68-5c5c-817d-1ee1328c5849', 'property', 'HostExtentNameFormat', 'HostExtentNameFormat', '{"title":"Host extent name format","type":"string","operators":["<or>"],"enum":["Unknown","Other","SNVM","NAA","EUI64","T10VID","OS Device Name","DMTF Reserved"]}', '2026-01-01T00:00:00.000Z', '2026-01-01T00:00:00.000Z'),
('b5b5a28a-34c4-5fe5-97ab-e98bc72ff1fc', '1ad660fc-cd68-5c5c-817d-1ee1328c5849', 'property', 'HostExtentNameNamespace', 'HostExtentNameNamespace', '{"title":"Host extent name namespace","type":"string","operators":["<or>"],"enum":["Unknown","Other","VPD83Type3","VPD83Type2","VPD83Type1","VPD80","NodeWWN","SNVM","OS Device Namespace","DMTF Reserved"]}', '2026-01-01T00:00:00.000Z', '2026-01-01T00:00:00.000Z'),
('ce5797ab-5d87-597c-9093-d41ba5a4d615', '1ad660fc-cd68-5c5c-817d-1ee1328c5849', 'property', 'HostExtentStartingAddress', 'HostExtentStartingAddress', '{"title":"Host extent starting address","type":"string"}', '2026-01-01T00:00:00.000Z', '2026-01-01T00:00:00.000Z'),
('43bbc210-c835-5eb1-92a6-6163d13c92f0', '1ad660fc-cd68-5c5c-817d-1ee1328c5849', 'property', 'HostResourceBlockSize', 'HostResourceBlockSize', '{"title":"Host resource block size","type":"string"}', '2026-01-01T00:00:00.000Z', '2026-01-01T00:00:00.000Z'),
('5ec0ef7d-749a-5f27-97cf-c30178b4d7d5', '1ad660fc-cd68-5c5c-817d-1ee1328c5849', 'property', 'Limit', 'Limit', '{"title":"Limit","type":"string"}', '2026-01-01T00:00:00.000Z', '2026-01-01T00:00:00.000Z'),
('b6ef77c1-c572-52d9-984f-6769700bf842', '1ad660fc-cd68-5c5c-817d-1ee1328c5849', 'property', 'OtherHostExtentNameFormat', 'OtherHostExtentNameFormat', '{"title":"Other host extent name format","type":"string"}', '2026-01-01T00:00:00.000Z', '2026-01-01T00:00:00.000Z'),
('29ba2173-0fa8-5297-aa56-efb2f058c5c1', '1ad660fc-cd68-5c5c-817d-1ee1328c5849', 'property', 'OtherHostExtentNameNamespace', 'OtherHostExtentNameNamespace', '{"title":"Other host extent name namespace","type":"string"}', '2026-01-01T00:00:00.000Z', '2026-01-01T00:00:00.000Z'),
('74a29c75-549d-521e-8a6e-bdca2b13cc91', '1ad660fc-cd68-5c5c-817d-1ee1328c5849', 'property', 'Reservation', 'Reservation', '{"title":"Reservation","type":"string"}', '2026-01-01T00:00:00.000Z', '2026-01-01T00:00:00.000Z'),
('ae861330-2f02-5f41-bd02-7891a8e3d2b5', '1ad660fc-cd68-5c5c-817d-1ee1328c5849', 'property', 'VirtualQuantity', 'VirtualQuantity', '{"title":"Virtual quantity","type":"string"}', '2026-01-01T00:00:00.000Z', '2026-01-01T00:00:00.000Z'),
('ac49c936-da9b-549f-b0ea-9c5642de0132', '1ad660fc-cd68-5c5c-817d-1ee1328c5849', 'property', 'VirtualQuantityUnits', 'VirtualQuantityUnits', '{"title":"Virtual quantity units","type":"string"}', '2026-01-01T00:00:00.000Z', '2026-01-01T00:00:00.000Z'),
('dff52b56-a732-5c92-9dc7-5f171f1dcd57', '1ad660fc-cd68-5c5c-817d-1ee1328c5849', 'property', 'VirtualResourceBlockSize', 'VirtualResourceBlockSize', '{"title":"Virtual resource block size","type":"string"}', '2026-01-01T00:00:00.000Z', '2026-01-01T00:00:00.000Z'),
('b24958be-b7cc-553d-9c49-49f580f584f7', 'bc58f82a-a1fd-579b-a918-a161508235eb', 'resource_type', 'OS::Nova::Aggregate', 'OS::Nova::Aggregate', '{"prefix":"CIM_VSSD_"}', '2026-01-01T00:00:00.000Z', '2026-01-01T00:00:00.000Z'),
('98a1d278-8c8a-5ab7-aa6d-9662a9f062ff', 'bc58f82a-a1fd-579b-a918-a161508235eb', 'resource_type', 'OS::Nova::Flavor', 'OS::Nova::Flavor', '{"prefix":"CIM_VSSD_"}', '2026-01-01T00:00:00.000Z', '2026-01-01T00:00:00.000Z'),
('49e5f9f9-acf8-5ee5-9214-be99d34acab7', 'bc58f82a-a1fd-579b-a918-a161508235eb', 'property', 'AutomaticRecoveryAction', 'AutomaticRecoveryAction', '{"title":"Automatic recovery action","type":"string","operators":["<or>"],"enum":["None","Restart","Revert to snapshot","DMTF Reserved"]}', '2026-01-01T00:00:00.000Z', '2026-01-01T00:00:00.000Z'),
('56216612-eda6-5325-84bf-cdd594dc400a', 'bc58f82a-a1fd-579b-a918-a161508235eb', 'property', 'AutomaticShutdownAction', 'AutomaticShutdownAction', '{"title":"Automatic shutdown action","type":"string","operators":["<or>"],"enum":["Turn Off","Save state","Shutdown","DMTF Reserved"]}', '2026-01-01T00:00:00.000Z', '2026-01-01T00:00:00.000Z'),
('3219cc84-2340-5a18-96c4-63c8e12b83d5', 'bc58f82a-a1fd-579b-a918-a161508235eb', 'property', 'AutomaticStartupAction', 'AutomaticStartupAction', '{"title":"Automatic startup action","type":"string","operators":["<or>"],"enum":["None","Restart if previously active","Always startup","DMTF Reserved"]}', '2026-01-01T00:00:00.000Z', '2026-01-01T00:00:00.000Z'),
('3250bb72-d56b-575d-823f-f178e8cca85e', 'bc58f82a-a1fd-579b-a918-a161508235eb', 'property', 'AutomaticStartupActionDelay', 'AutomaticStartupActionDelay', '{"title":"Automatic startup action delay","type":"string"}', '2026-01-01T00:00:00.000Z', '2026-01-01T00:00:00.000Z'),
('f5b96d34-8001-5c0b-b62c-b53664da3407', 'bc58f82a-a1fd-579b-a918-a161508235eb', 'property', 'AutomaticStartupActionSequenceNumber', 'AutomaticStartupActionSequenceNumber', '{"title":"Automatic startup action sequence number","type":"string"}', '2026-01-01T00:00:00.000Z', '2026-01-01T00:00:00.000Z'),
('394d909d-276d-51a1-8645-45a716b1ce84', 'bc58f82a-a1fd-579b-a918-a161508235eb', 'property', 'ConfigurationDataRoot', 'ConfigurationDataRoot', '{"title":"Configuration data root","type":"string"}', '2026-01-01T00:00:00.000Z', '2026-01-01T00:00:00.000Z'),
('638b7d05-70a6-5852-a1d1-a8929800db9d', 'bc58f82a-a1fd-579b-a918-a161508235eb', 'property', 'ConfigurationFile', 'ConfigurationFile', '{"title":"Configuration file","type":"string"}', '2026-01-01T00:00:00.000Z', '2026-01-01T00:00:00.000Z'),
('4154819a-a594-5e3a-b3d0-5ab5239a09c2', 'bc58f82a-a1fd-579b-a918-a161508235eb', 'property', 'ConfigurationID', 'ConfigurationID', '{"title":"Configuration ID","type":"string"}', '2026-01-01T00:00:00.000Z', '2026-01-01T00:00:00.000Z'),
('9f18163d-fc00-51fe-8de4-81e870b0aa39', 'bc58f82a-a1fd-579b-a918-a161508235eb', 'property', 'CreationTime', 'CreationTime', '{"title":"Creation time","type":"string"}', '2026-01-01T00:00:00.000Z', '2026-01-01T00:00:00.000Z'),
('13d50ef6-e101-58b2-934f-8328170a8b2e', 'bc58f82a-a1fd-579b-a918-a161508235eb', 'property', 'LogDataRoot', 'LogDataRoot', '{"title":"Log data root","type":"string"}', '2026-01-01T00:00:00.000Z', '2026-01-01T00:00:00.000Z'),
('fb7b98ba-a5dc-5ca2-9c01-ca4ed33e8091', 'bc58f82a-a1fd-579b-a918-a161508235eb', 'property', 'RecoveryFile', 'RecoveryFile', '{"title":"Recovery file","type":"string"}', '2026-01-01T00:00:00.000Z', '2026-01-01T00:00:00.000Z'),
('37df0719-83e2-547e-bf30-ca94490126a8', 'bc58f82a-a1fd-579b-a918-a161508235eb', 'property', 'SnapshotDataRoot', 'SnapshotDataRoot', '{"title":"Snapshot data root","type":"string"}', '2026-01-01T00:00:00.000Z', '2026-01-01T00:00:00.000Z'),
('52363f2f-418c-5cbd-b269-102b6a2e3396', 'bc58f82a-a1fd-579b-a918-a161508235eb', 'property', 'SuspendDataRoot', 'SuspendDataRoot', '{"title":"Suspend data root","type":"string"}', '2026-01-01T00:00:00.000Z', '2026-01-01T00:00:00.000Z'),
('68035c54-0a9f-5935-bf11-3f720dc37bf2', 'bc58f82a-a1fd-579b-a918-a161508235eb', 'property', 'SwapFileDataRoot', 'SwapFileDataRoot', '{"title":"Swap file data root","type":"string"}', '2026-01-01T00:00:00.000Z', '2026-01-01T00:00:00.000Z'),
('3f188ba9-1057-5b4e-a47c-25de530c94cf', 'bc58f82a-a1fd-579b-a918-a161508235eb', 'property', 'VirtualSystemIdentifier', 'VirtualSystemIdentifier', '{"title":"Virtual system identifier","type":"string"}', '2026-01-01T00:00:00.000Z', '2026-01-01T00:00:00.000Z'),
('b063848f-ad9f-5c3f-847d-5c745d876ccf', 'bc58f82a-a1fd-579b-a918-a161508235eb', 'property', 'VirtualSystemType', 'VirtualSystemType', '{"title":"Virtual system type","type":"string"}', '2026-01-01T00:00:00.000Z', '2026-01-01T00:00:00.000Z'),
('4b08a457-32c9-50aa-b3b2-37fd6b092d77', 'bc58f82a-a1fd-579b-a918-a161508235eb', 'property', 'Notes', 'Notes', '{"title":"Notes","type":"string"}', '2026-01-01T00:00:00.000Z', '2026-01-01T00:00:00.000Z'),
('28eaa41c-e24b-5eee-ad7b-e0cbb2866a70', '5faa8d04-fc4e-5030-abc3-4b94bb4e1888', 'resource_type', 'OS::Glance::Image', 'OS::Glance::Image', '{"prefix":"cinder_"}', '2026-01-01T00:00:00.000Z', '2026-01-01T00:00:00.000Z'),
('bf1292a6-4631-559e-8f49-fae4e5da980b', '5faa8d04-fc4e-5030-abc3-4b94bb4e1888', 'property', 'img_volume_type', 'img_volume_type', '{"title":"Image volume type","type":"string"}', '2026-01-01T00:00:00.000Z', '2026-01-01T00:00:00.000Z'),
('980d531e-1a4c-555f-9484-ae0c65dd1081', '358ddd57-2b3a-5d9f-83ed-53341bce61e0', 'resource_type', 'OS::Nova::Aggregate', 'OS::Nova::Aggregate', '{}', '2026-01-01T00:00:00.000Z', '2026-01-01T00:00:00.000Z'),
('7ef4d906-5680-5840-9801-c4c687992053', '358ddd57-2b3a-5d9f-83ed-53341bce61e0', 'property', 'disk_allocation_ratio', 'disk_allocation_ratio', '{"title":"Disk allocation ratio","type":"number","readonly":false}', '2026-01-01T00:00:00.000Z', '2026-01-01T00:00:00.000Z'),
('d5796073-5d22-5193-b364-0266ba894804', '56acdf20-3e4c-5099-beb6-407d5d611ef5', 'resource_type', 'OS::Nova::Aggregate', 'OS::Nova::Aggregate', '{}', '2026-01-01T00:00:00.000Z', '2026-01-01T00:00:00.000Z'),
('62189c1a-1f24-5863-bb3b-3d10c95c9127', '56acdf20-3e4c-5099-beb6-407d5d611ef5', 'property', 'max_io_ops_per_host', 'max_io_ops_per_host', '{"title":"Maximum I/O ops per host","type":"integer","default":"8","readonly":false,"minimum":1}', '2026-01-01T00:00:00.000Z', '2026-01-01T00:00:00.000Z'),
('63e32429-e841-5c3d-98ed-52e74e83291d', '09f19b44-2dce-56d6-8c45-93d9ecedc99a', 'resource_type', 'OS::Nova::Aggregate', 'OS::Nova::Aggregate', '{}', '2026-01-01T00:00:00.000Z', '2026-01-01T00:00:00.000Z'),
('ca9dd170-2548-5eb3-a13e-7081dcaffe0b', '09f19b44-2dce-56d6-8c45-93d9ecedc99a', 'property', 'max_instances_per_host', 'max_instances_per_host', '{"title":"Maximum instances per host","type":"integer","readonly":false,"minimum":0}', '2026-01-01T00:00:00.000Z', '2026-01-01T00:00:00.000Z'),
('fb2d4416-c755-5227-bc3b-9b97a81a08f9', 'ab2e9651-236b-58e5-976d-0795bba1793f', 'resource_type', 'OS::Glance::Image', 'OS::Glance::Image', '{"prefix":"hw_"}', '2026-01-01T00:00:00.000Z', '2026-01-01T00:00:00.000Z'),
('719d6aee-5262-58dc-9598-e9de163d77da', 'ab2e9651-236b-58e5-976d-0795bba1793f', 'resource_type', 'OS::Nova::Flavor', 'OS::Nova::Flavor', '{"prefix":"hw:"}', '2026-01-01T00:00:00.000Z', '2026-01-01T00:00:00.000Z'),
('e5b9bf16-bce8-57b6-b9fe-8d9adaadb0a8', 'ab2e9651-236b-58e5-976d-0795bba1793f', 'property', 'cpu_mode', 'cpu_mode', '{"title":"CPU mode","type":"string","enum":["none","host-model","host-passthrough","custom"]}', '2026-01-01T00:00:00.000Z', '2026-01-01T00:00:00.000Z'),
('c7350584-a036-5ccb-9e23-04556f456e4d', 'fd0bf25c-ddd0-50ff-997d-a2ee73910775', 'resource_type', 'OS::Glance::Image', 'OS::Glance::Image', '{"prefix":"hw_"}', '2026-01-01T00:00:00.000Z', '2026-01-01T00:00:00.000Z'),
('8e7d8f18-1d3e-5ce5-9553-22061ccc74bf', 'fd0bf25c-ddd0-50ff-997d-a2ee73910775', 'resource_type', 'OS::Cinder::Volume', 'OS::Cinder::Volume', '{"prefix":"hw_","properties_target":"image"}', '2026-01-01T00:00:00.000Z', '2026-01-01T00:00:00.000Z'),
('d8d671de-e2cf-5967-942d-b63173aff836', 'fd0bf25c-ddd0-50ff-997d-a2ee73910775', 'resource_type', 'OS::Nova::Flavor', 'OS::Nova::Flavor', '{"prefix":"hw:"}', '2026-01-01T00:00:00.000Z', '2026-01-01T00:00:00.000Z'),
('50fdfdc0-4378-56dc-8849-cd482c3c76f8', 'fd0bf25c-ddd0-50ff-997d-a2ee73910775', 'property', 'cpu_policy', 'cpu_policy', '{"title":"CPU policy","type":"string","enum":["shared","dedicated"]}', '2026-01-01T00:00:00.000Z', '2026-01-01T00:00:00.000Z'),
('70ef21c7-aac6-5293-802b-959f58da8172', 'fd0bf25c-ddd0-50ff-997d-a2ee73910775', 'property', 'cpu_thread_policy', 'cpu_thread_policy', '{"title":"CPU thread policy","type":"string","enum":["isolate","prefer","require"]}', '2026-01-01T00:00:00.000Z', '2026-01-01T00:00:00.000Z'),
('905b99b5-ffdd-5c15-ae54-ad6cda5217ba', '157f0deb-9b5d-5520-83e0-4253ab1c8287', 'resource_type', 'OS::Nova::Flavor', 'OS::Nova::Flavor', '{"prefix":"hw:"}', '2026-01-01T00:00:00.000Z', '2026-01-01T00:00:00.000Z'),
('b39abeaa-38fe-5fa2-9113-e991bcb04f5b', '157f0deb-9b5d-5520-83e0-4253ab1c8287', 'resource_type', 'OS::Glance::Image', 'OS::Glance::Image', '{"prefix":"hw_"}', '2026-01-01T00:00:00.000Z', '2026-01-01T00:00:00.000Z'),
('7a46a440-fdc9-56c1-a867-980f5da10bc5', '157f0deb-9b5d-5520-83e0-4253ab1c8287', 'resource_type', 'OS::Cinder::Volume', 'OS::Cinder::Volume', '{"prefix":"hw_","properties_target":"image"}', '2026-01-01T00:00:00.000Z', '2026-01-01T00:00:00.000Z'),
('a0eb512d-49fd-5cf8-a5c7-3deb34e47dc0', '157f0deb-9b5d-5520-83e0-4253ab1c8287', 'property', 'mem_page_size', 'mem_page_size', '{"title":"Mem page size","type":"string"}', '2026-01-01T00:00:00.000Z', '2026-01-01T00:00:00.000Z'),
('351b4e28-14b6-5d16-b701-3066e3214b10', '43df5d7b-2f1b-5b50-b581-bc7f73ec6a4a', 'resource_type', 'OS::Glance::Image', 'OS::Glance::Image', '{}', '2026-01-01T00:00:00.000Z', '2026-01-01T00:00:00.000Z'),
('59345993-8390-5325-88cc-de94366a6bc2', '43df5d7b-2f1b-5b50-b581-bc7f73ec6a4a', 'property', 'os_shutdown_timeout', 'os_shutdown_timeout', '{"title":"OS shutdown timeout","type":"integer","minimum":0}', '2026-01-01T00:00:00.000Z', '2026-01-01T00:00:00.000Z'),
('81589150-5296-5398-8453-798079cb7b52', '2e808fc7-38f2-5ef5-a952-72d4e662b114', 'resource_type', 'OS::Nova::Flavor', 'OS::Nova::Flavor', '{"prefix":"capabilities:"}', '2026-01-01T00:00:00.000Z', '2026-01-01T00:00:00.000Z'),
('198d40df-a37d-58ac-a9f6-6a49a20f4a88', '2e808fc7-38f2-5ef5-a952-72d4e662b114', 'resource_type', 'OS::Nova::Aggregate', 'OS::Nova::Aggregate', '{"prefix":"aggregate_instance_extra_specs:"}', '2026-01-01T00:00:00.000Z', '2026-01-01T00:00:00.000Z'),
('5efe98de-d4b3-57ac-8ab9-70489ca4ec6a', '2e808fc7-38f2-5ef5-a952-72d4e662b114', 'property', 'cpu_info:vendor', 'cpu_info:vendor', '{"title":"CPU info vendor","type":"string","operators":["<or>"],"enum":["Intel","AMD"]}', '2026-01-01T00:00:00.000Z', '2026-01-01T00:00:00.000Z'),
('52b036d5-4b95-54d6-8e9c-d405face33e6', '2e808fc7-38f2-5ef5-a952-72d4e662b114', 'property', 'cpu_info:model', 'cpu_info:model', '{"title":"CPU info model","type":"string","operators":["<or>"],"enum":["Conroe","Core2Duo","Penryn","Nehalem","Westmere","SandyBridge","IvyBridge","Haswell","Broadwell","Delhi","Seoul","Abu Dhabi","Interlagos","Kabini","Valencia","Zurich","Budapest","Barcelona","Suzuka","Shanghai","Istanbul","Lisbon","Magny-Cours","Cortex-A57","Cortex-A53","Cortex-A12","Cortex-A17","Cortex-A15","Coretx-A7","X-Gene"]}', '2026-01-01T00:00:00.000Z', '2026-01-01T00:00:00.000Z'),
('c7e42699-1be8-5348-9339-41ab936aaa69', '2e808fc7-38f2-5ef5-a952-72d4e662b114', 'property', 'cpu_info:arch', 'cpu_info:arch', '{"title":"CPU info arch","type":"string","operators":["<or>"],"enum":["x86","x86_64","i686","ia64","ARMv8-A","ARMv7-A"]}', '2026-01-01T00:00:00.000Z', '2026-01-01T00:00:00.000Z'),
('cd6bcd38-4235-5ae2-9621-1a644aa2fbe7', '2e808fc7-38f2-5ef5-a952-72d4e662b114', 'property', 'cpu_info:topology:cores', 'cpu_info:topology:cores', '{"title":"CPU info topology cores","type":"integer","default":"1","readonly":false}', '2026-01-01T00:00:00.000Z', '2026-01-01T00:00:00.000Z'),
('45be0b14-5479-5f74-98f2-00af4c8aafc0', '2e808fc7-38f2-5ef5-a952-72d4e662b114', 'property', 'cpu_info:topology:threads', 'cpu_info:topology:threads', '{"title":"CPU info topology threads","type":"integer","default":"1","readonly":false}', '2026-01-01T00:00:00.000Z', '2026-01-01T00:00:00.000Z'),
('14b6787d-04d4-529f-b5e2-8719ab6bbb50', '2e808fc7-38f2-5ef5-a952-72d4e662b114', 'property', 'cpu_info:topology:sockets', 'cpu_info:topology:sockets', '{"title":"CPU info topology sockets","type":"integer","default":"1","readonly":false}', '2026-01-01T00:00:00.000Z', '2026-01-01T00:00:00.000Z'),
('caa256d7-1983-5d6a-8340-108e776ac81d', '2e808fc7-38f2-5ef5-a952-72d4e662b114', 'property', 'cpu_info:features', 'cpu_info:features', '{"title":"CPU info features","type":"array","operators":["<or>","<all-in>"],"items":{"type":"string","enum":["fpu","vme","de","pse","tsc","msr","pae","mce","cx8","apic","sep","mtrr","pge","mca","cmov","pat","pse36","pn","clflush","dts","acpi","mmx","fxsr","sse","sse2","ss","ht","tm","ia64","pbe","syscall","mp","nx","mmxext","fxsr_opt","pdpe1gb","rdtscp","lm","3dnowext","3dnow","arch_perfmon","pebs","bts","rep_good","nopl","xtopology","tsc_reliable","nonstop_tsc","extd_apicid","amd_dcm","aperfmperf","eagerfpu","nonstop_tsc_s3","pni","pclmulqdq","dtes64","monitor","ds_cpl","vmx","smx","est","tm2","ssse3","cid","fma","cx16","xtpr","pdcm","pcid","dca","sse4_1","sse4_2","x2apic","movbe","popcnt","tsc_deadline_timer","aes","xsave","avx","f16c","rdrand","hypervisor","rng","rng_en","ace","ace_en","ace2","ace2_en","phe","phe_en","pmm","pmm_en","lahf_lm","cmp_legacy","svm","extapic","cr8_legacy","abm","sse4a","misalignsse","3dnowprefetch","osvw","ibs","xop","skinit","wdt","lwp","fma4","tce","nodeid_msr","tbm","topoext","perfctr_core","perfctr_nb","bpext","perfctr_l2","mwaitx","ida","arat","cpb","epb","pln","pts","dtherm","hw_pstate","proc_feedback","hwp","hwp_notify","hwp_act_window","hwp_epp","hwp_pkg_req","intel_pt","tpr_shadow","vnmi","flexpriority","ept","vpid","npt","lbrv","svm_lock","nrip_save","tsc_scale","vmcb_clean","flushbyasid","decodeassists","pausefilter","pfthreshold","vmmcall","fsgsbase","tsc_adjust","bmi1","hle","avx2","smep","bmi2","erms","invpcid","rtm","cqm","mpx","avx512f","rdseed","adx","smap","pcommit","clflushopt","clwb","avx512pf","avx512er","avx512cd","sha_ni","xsaveopt","xsavec","xgetbv1","xsaves","cqm_llc","cqm_occup_llc","clzero"]}}', '2026-01-01T00:00:00.000Z', '2026-01-01T00:00:00.000Z'),
('62b8ff51-ce8c-5aec-bd3f-4b3036a686ea', '1165dcfe-c9a0-5f1c-b5e5-bacbd07898de', 'resource_type', 'OS::Glance::Image', 'OS::Glance::Image', '{}', '2026-01-01T00:00:00.000Z', '2026-01-01T00:00:00.000Z'),
('4d2c2210-cff3-58d2-9080-d03b0caba021', '1165dcfe-c9a0-5f1c-b5e5-bacbd07898de', 'property', 'hypervisor_type', 'hypervisor_type', '{"title":"Hypervisor type","type":"string","enum":["baremetal","hyperv","kvm","lxc","powervm","qemu","uml","vmware","vz","xen"]}', '2026-01-01T00:00:00.000Z', '2026-01-01T00:00:00.000Z'),
('f6e65907-0f59-546d-8084-67700f31416b', '1165dcfe-c9a0-5f1c-b5e5-bacbd07898de', 'property', 'vm_mode', 'vm_mode', '{"title":"VM mode","type":"string","enum":["hvm","xen","uml","exe"]}', '2026-01-01T00:00:00.000Z', '2026-01-01T00:00:00.000Z'),
('888a08dd-0706-5c29-85bf-0d6a411f970c', '8a34101e-fa26-5ebf-9fa2-85d6287d0c45', 'resource_type', 'OS::Glance::Image', 'OS::Glance::Image', '{}', '2026-01-01T00:00:00.000Z', '2026-01-01T00:00:00.000Z'),
('7a172f3e-0a6e-555e-85ce-6e9880a0d88e', '8a34101e-fa26-5ebf-9fa2-85d6287d0c45', 'resource_type', 'OS::Cinder::Volume', 'OS::Cinder::Volume', '{"properties_target":"image"}', '2026-01-01T00:00:00.000Z', '2026-01-01T00:00:00.000Z'),
('d7189664-200f-5d46-a3ea-5b64378cdd56', '8a34101e-fa26-5ebf-9fa2-85d6287d0c45', 'property', 'img_config_drive', 'img_config_drive', '{"title":"Image config drive","type":"string","enum":["optional","mandatory"]}', '2026-01-01T00:00:00.000Z', '2026-01-01T00:00:00.000Z'),
('5831ef90-0ba3-529b-a83c-7acffd0ea845', '8a34101e-fa26-5ebf-9fa2-85d6287d0c45', 'property', 'os_require_quiesce', 'os_require_quiesce', '{"title":"OS require quiesce","type":"string","enum":["yes","no"]}', '2026-01-01T00:00:00.000Z', '2026-01-01T00:00:00.000Z'),
('e4f5a47e-0b89-563d-8d31-9f059f44c847', '72f6339e-c65c-5091-8c81-60ff805f1fb9', 'resource_type', 'OS::Glance::Image', 'OS::Glance::Image', '{"prefix":"hw_"}', '2026-01-01T00:00:00.000Z', '2026-01-01T00:00:00.000Z'),
('b84baeb1-6ea2-5b2d-b16d-f3e2ec568d79', '72f6339e-c65c-5091-8c81-60ff805f1fb9', 'resource_type', 'OS::Nova::Flavor', 'OS::Nova::Flavor', '{"prefix":"hw:"}', '2026-01-01T00:00:00.000Z', '2026-01-01T00:00:00.000Z'),
('cc955561-03e4-5ec3-b6c7-db26f6e0752d', '72f6339e-c65c-5091-8c81-60ff805f1fb9', 'property', 'serial_port_count', 'serial_port_count', '{"title":"Serial port count","type":"integer","minimum":0}', '2026-01-01T00:00:00.000Z', '2026-01-01T00:00:00.000Z'),
('b81b5f12-44ab-5dd7-ab5a-9cdfbef143a7', '72f6339e-c65c-5091-8c81-60ff805f1fb9', 'property', 'boot_menu', 'boot_menu', '{"title":"Boot menu","type":"string","enum":["true","false"]}', '2026-01-01T00:00:00.000Z', '2026-01-01T00:00:00.000Z'),
('22da53b2-dbc5-574e-b399-bab3c057cc26', '72f6339e-c65c-5091-8c81-60ff805f1fb9', 'property', 'mem_encryption', 'mem_encryption', '{"title":"Mem encryption","type":"string","enum":["true","false"]}', '2026-01-01T00:00:00.000Z', '2026-01-01T00:00:00.000Z'),
('363d5c32-a43d-5496-8d5d-3814846ef814', '72f6339e-c65c-5091-8c81-60ff805f1fb9', 'property', 'mem_encryption_model', 'mem_encryption_model', '{"title":"Mem encryption model","type":"string","enum":["amd-sev","amd-sev-es","amd-sev-snp"]}', '2026-01-01T00:00:00.000Z', '2026-01-01T00:00:00.000Z'),
('aa82b5c6-034f-59d4-870d-6967c9646734', '72f6339e-c65c-5091-8c81-60ff805f1fb9', 'property', 'virtio_packed_ring', 'virtio_packed_ring', '{"title":"Virtio packed ring","type":"string","enum":["true","false"]}', '2026-01-01T00:00:00.000Z', '2026-01-01T00:00:00.000Z'),
('4d24004d-ae3a-5624-b140-5e5c42496c4c', 'c38c190c-65df-5138-8eba-00bfe1f944d2', 'resource_type', 'OS::Glance::Image', 'OS::Glance::Image', '{}', '2026-01-01T00:00:00.000Z', '2026-01-01T00:00:00.000Z'),
('93d5956f-7c9c-5700-bdea-0c927272af1c', 'c38c190c-65df-5138-8eba-00bfe1f944d2', 'property', 'hw_cdrom_bus', 'hw_cdrom_bus', '{"title":"Hardware CD-ROM bus","type":"string","enum":["scsi","virtio","uml","xen","ide","usb","fdc","sata","lxc"]}', '2026-01-01T00:00:00.000Z', '2026-01-01T00:00:00.000Z'),
('df424ab1-efd6-5618-9613-80a7350bc27e', 'c38c190c-65df-5138-8eba-00bfe1f944d2', 'property', 'hw_disk_bus', 'hw_disk_bus', '{"title":"Hardware disk bus","type":"string","enum":["scsi","virtio","uml","xen","ide","usb","fdc","sata","lxc"]}', '2026-01-01T00:00:00.000Z', '2026-01-01T00:00:00.000Z'),
('703782b8-5334-5f98-8679-befc6881ed85', 'c38c190c-65df-5138-8eba-00bfe1f944d2', 'property', 'hw_firmware_type', 'hw_firmware_type', '{"title":"Hardware firmware type","type":"string","enum":["bios","uefi"]}', '2026-01-01T00:00:00.000Z', '2026-01-01T00:00:00.000Z'),
('193d9414-f134-59b1-acc4-9ff42586c3ca', 'c38c190c-65df-5138-8eba-00bfe1f944d2', 'property', 'hw_firmware_stateless', 'hw_firmware_stateless', '{"title":"Hardware firmware stateless","type":"boolean"}', '2026-01-01T00:00:00.000Z', '2026-01-01T00:00:00.000Z'),
('d7257c06-f57a-5342-b678-edd480249a43', 'c38c190c-65df-5138-8eba-00bfe1f944d2', 'property', 'hw_rng_model', 'hw_rng_model', '{"title":"Hardware random number generator model","type":"string","default":"virtio"}', '2026-01-01T00:00:00.000Z', '2026-01-01T00:00:00.000Z'),
('7affb091-aa77-5e48-a8d9-4d116f65e51e', 'c38c190c-65df-5138-8eba-00bfe1f944d2', 'property', 'hw_machine_type', 'hw_machine_type', '{"title":"Hardware machine type","type":"string"}', '2026-01-01T00:00:00.000Z', '2026-01-01T00:00:00.000Z'),
('1cd80b87-dbe5-58d0-99b8-cbfddc84666f', 'c38c190c-65df-5138-8eba-00bfe1f944d2', 'property', 'hw_scsi_model', 'hw_scsi_model', '{"title":"Hardware SCSI model","type":"string","default":"virtio-scsi"}', '2026-01-01T00:00:00.000Z', '2026-01-01T00:00:00.000Z'),
('4e5d7cd4-3d45-55f5-bb82-3b699b755765', 'c38c190c-65df-5138-8eba-00bfe1f944d2', 'property', 'hw_video_model', 'hw_video_model', '{"title":"Hardware video model","type":"string","enum":["vga","cirrus","vmvga","xen","qxl","virtio","gop","none","bochs"]}', '2026-01-01T00:00:00.000Z', '2026-01-01T00:00:00.000Z'),
('17379a2a-b0ef-5df5-8c2b-b468150b9ad9', 'c38c190c-65df-5138-8eba-00bfe1f944d2', 'property', 'hw_video_ram', 'hw_video_ram', '{"title":"Hardware video RAM","type":"integer","minimum":0}', '2026-01-01T00:00:00.000Z', '2026-01-01T00:00:00.000Z'),
('653e4157-e5a9-532b-b434-068038cada77', 'c38c190c-65df-5138-8eba-00bfe1f944d2', 'property', 'os_command_line', 'os_command_line', '{"title":"OS command line","type":"string"}', '2026-01-01T00:00:00.000Z', '2026-01-01T00:00:00.000Z'),
('cd6cb0ca-78f9-5ebe-a5da-714df48a23f9', 'c38c190c-65df-5138-8eba-00bfe1f944d2', 'property', 'os_type', 'os_type', '{"title":"OS type","type":"string","enum":["linux","windows"]}', '2026-01-01T00:00:00.000Z', '2026-01-01T00:00:00.000Z'),
('5db23669-4b05-592d-afe5-b3bb55a5b45b', 'c38c190c-65df-5138-8eba-00bfe1f944d2', 'property', 'hw_vif_model', 'hw_vif_model', '{"title":"Hardware VIF model","type":"string","enum":["e1000","e1000e","ne2k_pci","netfront","pcnet","rtl8139","spapr-vlan","virtio","vmxnet3","igb"]}', '2026-01-01T00:00:00.000Z', '2026-01-01T00:00:00.000Z'),
('ac4af97c-ef5c-5955-9aed-f085848a8339', 'c38c190c-65df-5138-8eba-00bfe1f944d2', 'property', 'hw_vif_multiqueue_enabled', 'hw_vif_multiqueue_enabled', '{"title":"Hardware VIF multiqueue enabled","type":"string","enum":["true","false"]}', '2026-01-01T00:00:00.000Z', '2026-01-01T00:00:00.000Z'),
('c5e6c53a-9a0b-56f8-8a63-9cb467ff223e', 'c38c190c-65df-5138-8eba-00bfe1f944d2', 'property', 'hw_pmu', 'hw_pmu', '{"title":"Hardware pmu","type":"string","enum":["true","false"]}', '2026-01-01T00:00:00.000Z', '2026-01-01T00:00:00.000Z'),
('ed1dea2f-5e96-576b-8ca0-6adde748520c', 'c38c190c-65df-5138-8eba-00bfe1f944d2', 'property', 'hw_qemu_guest_agent', 'hw_qemu_guest_agent', '{"title":"Hardware qemu guest agent","type":"string","enum":["yes","no"]}', '2026-01-01T00:00:00.000Z', '2026-01-01T00:00:00.000Z'),
('04a3b131-9165-5a1f-948a-31a03fcd8e92', 'c38c190c-65df-5138-8eba-00bfe1f944d2', 'property', 'hw_pointer_model', 'hw_pointer_model', '{"title":"Hardware pointer model","type":"string","enum":["usbtablet"]}', '2026-01-01T00:00:00.000Z', '2026-01-01T00:00:00.000Z'),
('a3552e97-d2e4-5a9e-9975-7ffec3b6f5b8', 'c38c190c-65df-5138-8eba-00bfe1f944d2', 'property', 'img_hide_hypervisor_id', 'img_hide_hypervisor_id', '{"title":"Image hide hypervisor ID","type":"string","enum":["yes","no"]}', '2026-01-01T00:00:00.000Z', '2026-01-01T00:00:00.000Z'),
('d52152aa-712e-5545-a76b-9ff0a0ab07eb', '15cda838-62b5-57d8-9a94-3a3d386e1970', 'resource_type', 'OS::Nova::Flavor', 'OS::Nova::Flavor', '{}', '2026-01-01T00:00:00.000Z', '2026-01-01T00:00:00.000Z'),
('d7164d4d-f49a-5a69-904b-42c43b7833e8', '15cda838-62b5-57d8-9a94-3a3d386e1970', 'object', 'CPU Limits', 'CPU Limits', '{"properties":{"quota:cpu_shares":{"title":"Quota CPU shares","type":"integer"},"quota:cpu_period":{"title":"Quota CPU period","type":"integer","minimum":1000,"maximum":1000000},"quota:cpu_quota":{"title":"Quota CPU quota","type":"integer"}}}', '2026-01-01T00:00:00.000Z', '2026-01-01T00:00:00.000Z'),
('678cb355-ba95-52c6-bbef-7c3fbde46d05', '15cda838-62b5-57d8-9a94-3a3d386e1970', 'object', 'Disk QoS', 'Disk QoS', '{"properties":{"quota:disk_read_bytes_sec":{"title":"Quota disk read bytes sec","type":"integer"},"quota:disk_read_iops_sec":{"title":"Quota disk read IOPS sec","type":"integer"},"quota:disk_write_bytes_sec":{"title":"Quota disk write bytes sec","type":"integer"},"quota:disk_write_iops_sec":{"title":"Quota disk write IOPS sec","type":"integer"},"quota:disk_total_bytes_sec":{"title":"Quota disk total bytes sec","type":"integer"},"quota:disk_total_iops_sec":{"title":"Quota disk total IOPS sec","type":"integer"}}}', '2026-01-01T00:00:00.000Z', '2026-01-01T00:00:00.000Z'),
('893c5fdf-205a-5225-8b64-50a0c00974cf', '15cda838-62b5-57d8-9a94-3a3d386e1970', 'object', 'Virtual Interface QoS', 'Virtual Interface QoS', '{"properties":{"quota:vif_inbound_average":{"title":"Quota VIF inbound average","type":"integer"},"quota:vif_inbound_burst":{"title":"Quota VIF inbound burst","type":"integer"},"quota:vif_inbound_peak":{"title":"Quota VIF inbound peak","type":"integer"},"quota:vif_outbound_average":{"title":"Quota VIF outbound average","type":"integer"},"quota:vif_outbound_burst":{"title":"Quota VIF outbound burst","type":"integer"},"quota:vif_outbound_peak":{"title":"Quota VIF outbound peak","type":"integer"}}}', '2026-01-01T00:00:00.000Z', '2026-01-01T00:00:00.000Z'),
('20643a10-bd32-52e5-bf69-f0b308c8f50a', 'f52dfdca-6b25-593a-b2b8-a133bb97b083', 'resource_type', 'OS::Nova::Flavor', 'OS::Nova::Flavor', '{}', '2026-01-01T00:00:00.000Z', '2026-01-01T00:00:00.000Z'),
('547bb3aa-f5f4-51ba-be31-7383318cc563', 'f52dfdca-6b25-593a-b2b8-a133bb97b083', 'property', 'hw_rng:allowed', 'hw_rng:allowed', '{"title":"Hardware random number generator allowed","type":"boolean"}', '2026-01-01T00:00:00.000Z', '2026-01-01T00:00:00.000Z'),
('933c42ca-09cb-5a26-b2fc-a41a7679b4de', 'f52dfdca-6b25-593a-b2b8-a133bb97b083', 'property', 'hw_rng:rate_bytes', 'hw_rng:rate_bytes', '{"title":"Hardware random number generator rate bytes","type":"integer"}', '2026-01-01T00:00:00.000Z', '2026-01-01T00:00:00.000Z'),
('48a0f0ed-5199-5b7e-88d3-36161d7eebd8', 'f52dfdca-6b25-593a-b2b8-a133bb97b083', 'property', 'hw_rng:rate_period', 'hw_rng:rate_period', '{"title":"Hardware random number generator rate period","type":"integer"}', '2026-01-01T00:00:00.000Z', '2026-01-01T00:00:00.000Z'),
('4283dc4f-2c8e-5a92-b78d-aec98ae405f9', 'c067e28b-5462-5682-bf6c-ef26b823f684', 'resource_type', 'OS::Nova::Flavor', 'OS::Nova::Flavor', '{"prefix":"hw:"}', '2026-01-01T00:00:00.000Z', '2026-01-01T00:00:00.000Z'),
('ebcfdaad-fb49-5ad7-bf21-9e2261ee79e5', 'c067e28b-5462-5682-bf6c-ef26b823f684', 'resource_type', 'OS::Glance::Image', 'OS::Glance::Image', '{"prefix":"hw_"}', '2026-01-01T00:00:00.000Z', '2026-01-01T00:00:00.000Z'),
('feb2dd7f-541c-577c-b0ef-18ebb7a74caf', 'c067e28b-5462-5682-bf6c-ef26b823f684', 'property', 'tpm_model', 'tpm_model', '{"title":"TPM model","type":"string","operators":["<or>"],"default":"tpm-tis","enum":["tpm-tis","tpm-crb"]}', '2026-01-01T00:00:00.000Z', '2026-01-01T00:00:00.000Z'),
('bc463927-caa8-5bb7-b36e-d63769e44289', 'c067e28b-5462-5682-bf6c-ef26b823f684', 'property', 'tpm_version', 'tpm_version', '{"title":"TPM version","type":"string","operators":["<or>"],"enum":["1.2","2.0"]}', '2026-01-01T00:00:00.000Z', '2026-01-01T00:00:00.000Z'),
('bffe8783-ed1d-5200-bf54-1f331eaa2a86', 'a5fa18e7-af29-5868-be51-d27873b1d47c', 'resource_type', 'OS::Glance::Image', 'OS::Glance::Image', '{}', '2026-01-01T00:00:00.000Z', '2026-01-01T00:00:00.000Z'),
('34cbe2d6-7374-555f-a0f3-7733de5188a3', 'a5fa18e7-af29-5868-be51-d27873b1d47c', 'property', 'img_linked_clone', 'img_linked_clone', '{"title":"Image linked clone","type":"boolean"}', '2026-01-01T00:00:00.000Z', '2026-01-01T00:00:00.000Z'),
('0ed6dec8-9945-5080-9c4f-94224e51255b', 'a5fa18e7-af29-5868-be51-d27873b1d47c', 'property', 'vmware_adaptertype', 'vmware_adaptertype', '{"title":"VMware adaptertype","type":"string","default":"lsiLogic","enum":["lsiLogic","lsiLogicsas","paraVirtual","busLogic","ide"]}', '2026-01-01T00:00:00.000Z', '2026-01-01T00:00:00.000Z'),
('a7f94811-38ff-50ae-b471-ce4d3c7fba90', 'a5fa18e7-af29-5868-be51-d27873b1d47c', 'property', 'vmware_disktype', 'vmware_disktype', '{"title":"VMware disktype","type":"string","default":"preallocated","enum":["streamOptimized","sparse","preallocated"]}', '2026-01-01T00:00:00.000Z', '2026-01-01T00:00:00.000Z'),
('a8c7be97-1dbc-54a7-b0c6-deea9bbba5e4', 'a5fa18e7-af29-5868-be51-d27873b1d47c', 'property', 'vmware_ostype', 'vmware_ostype', '{"title":"VMware ostype","type":"string","default":"otherGuest","enum":["asianux3_64Guest","asianux3Guest","asianux4_64Guest","asianux4Guest","asianux5_64Guest","asianux7_64Guest","centos64Guest","centosGuest","centos6Guest","centos6_64Guest","centos7_64Guest","coreos64Guest","darwin10_64Guest","darwin10Guest","darwin11_64Guest","darwin11Guest","darwin12_64Guest","darwin13_64Guest","darwin14_64Guest","darwin15_64Guest","darwin16_64Guest","darwin64Guest","darwinGuest","debian4_64Guest","debian4Guest","debian5_64Guest","debian5Guest","debian6_64Guest","debian6Guest","debian7_64Guest","debian7Guest","debian8_64Guest","debian8Guest","debian9_64Guest","debian9Guest","debian10_64Guest","debian10Guest","dosGuest","eComStation2Guest","eComStationGuest","fedora64Guest","fedoraGuest","freebsd64Guest","freebsdGuest","genericLinuxGuest","mandrakeGuest","mandriva64Guest","mandrivaGuest","netware4Guest","netware5Guest","netware6Guest","nld9Guest","oesGuest","openServer5Guest","openServer6Guest","opensuse64Guest","opensuseGuest","oracleLinux64Guest","oracleLinuxGuest","oracleLinux6Guest","oracleLinux6_64Guest","oracleLinux7_64Guest","os2Guest","other24xLinux64Guest","other24xLinuxGuest","other26xLinux64Guest","other26xLinuxGuest","other3xLinux64Guest","other3xLinuxGuest","otherGuest","otherGuest64","otherLinux64Guest","otherLinuxGuest","redhatGuest","rhel2Guest","rhel3_64Guest","rhel3Guest","rhel4_64Guest","rhel4Guest","rhel5_64Guest","rhel5Guest","rhel6_64Guest","rhel6Guest","rhel7_64Guest","rhel7Guest","sjdsGuest","sles10_64Guest","sles10Guest","sles11_64Guest","sles11Guest","sles12_64Guest","sles12Guest","sles64Guest","slesGuest","solaris10_64Guest","solaris10Guest","solaris11_64Guest","solaris6Guest","solaris7Guest","solaris8Guest","solaris9Guest","turboLinux64Guest","turboLinuxGuest","ubuntu64Guest","ubuntuGuest","unixWare7Guest","vmkernel5Guest","vmkernel6Guest","vmkernel65Guest","vmkernelGuest","vmwarePhoton64Guest","win2000AdvServGuest","win2000ProGuest","win2000ServGuest","win31Guest","win95Guest","win98Guest","windows7_64Guest","windows7Guest","windows7Server64Guest","windows8_64Guest","windows8Guest","windows8Server64Guest","windows9_64Guest","windows9Guest","windows9Server64Guest","windowsHyperVGuest","winLonghorn64Guest","winLonghornGuest","winMeGuest","winNetBusinessGuest","winNetDatacenter64Guest","winNetDatacenterGuest","winNetEnterprise64Guest","winNetEnterpriseGuest","winNetStandard64Guest","winNetStandardGuest","winNetWebGuest","winNTGuest","winVista64Guest","winVistaGuest","winXPHomeGuest","winXPPro64Guest","winXPProGuest"]}', '2026-01-01T00:00:00.000Z', '2026-01-01T00:00:00.000Z'),
('6e311bb3-aa4c-5ddb-afea-a3743befd35c', 'a5fa18e7-af29-5868-be51-d27873b1d47c', 'property', 'hw_vif_model', 'hw_vif_model', '{"title":"Hardware VIF model","type":"string","default":"e1000","enum":["e1000","e1000e","VirtualE1000","VirtualE1000e","VirtualPCNet32","VirtualVmxnet","VirtualVmxnet3"]}', '2026-01-01T00:00:00.000Z', '2026-01-01T00:00:00.000Z'),
('a870d8cd-03e4-5b10-a2e0-93e26061863f', 'a5fa18e7-af29-5868-be51-d27873b1d47c', 'property', 'hw_vif_multiqueue_enabled', 'hw_vif_multiqueue_enabled', '{"title":"Hardware VIF multiqueue enabled","type":"string","enum":["true","false"]}', '2026-01-01T00:00:00.000Z', '2026-01-01T00:00:00.000Z'),
('03657a99-f034-58d1-8288-19212dea82db', 'a65f2d6e-b877-59d6-901f-1204d4227087', 'resource_type', 'OS::Nova::Flavor', 'OS::Nova::Flavor', '{}', '2026-01-01T00:00:00.000Z', '2026-01-01T00:00:00.000Z'),
('b866323c-13b1-5e70-81e5-8f6acb5f330b', 'a65f2d6e-b877-59d6-901f-1204d4227087', 'property', 'vmware:hw_version', 'vmware:hw_version', '{"title":"VMware hardware version","type":"string","enum":["vmx-13","vmx-11","vmx-10","vmx-09","vmx-08","vmx-07","vmx-04","vmx-03"]}', '2026-01-01T00:00:00.000Z', '2026-01-01T00:00:00.000Z'),
('c0f72824-2538-5781-a69f-94304bf04f5c', 'a65f2d6e-b877-59d6-901f-1204d4227087', 'property', 'vmware:storage_policy', 'vmware:storage_policy', '{"title":"VMware storage policy","type":"string"}', '2026-01-01T00:00:00.000Z', '2026-01-01T00:00:00.000Z'),
('fde28fe1-50fd-52f5-9927-46d5ef610970', 'd5527f5b-85ff-5643-a0ea-5ce54647119e', 'resource_type', 'OS::Nova::Flavor', 'OS::Nova::Flavor', '{}', '2026-01-01T00:00:00.000Z', '2026-01-01T00:00:00.000Z'),
('0f0986ef-6544-5eb0-969e-c4dcb20ba6ca', 'd5527f5b-85ff-5643-a0ea-5ce54647119e', 'property', 'quota:cpu_limit', 'quota:cpu_limit', '{"title":"Quota CPU limit","type":"integer","minimum":0}', '2026-01-01T00:00:00.000Z', '2026-01-01T00:00:00.000Z'),
('458f2cc4-0983-51d4-937e-1f5dd7236940', 'd5527f5b-85ff-5643-a0ea-5ce54647119e', 'property', 'quota:cpu_reservation', 'quota:cpu_reservation', '{"title":"Quota CPU reservation","type":"integer","minimum":0}', '2026-01-01T00:00:00.000Z', '2026-01-01T00:00:00.000Z'),
('2d7eaa35-f359-5e09-b72d-139003d4d246', 'a706fa78-789f-584a-a594-6e7cfb00b25e', 'resource_type', 'OS::Nova::Flavor', 'OS::Nova::Flavor', '{"prefix":"traits:"}', '2026-01-01T00:00:00.000Z', '2026-01-01T00:00:00.000Z'),
('585f3de6-4bcc-5f8d-914e-a30fab75ec45', 'a706fa78-789f-584a-a594-6e7cfb00b25e', 'resource_type', 'OS::Glance::Image', 'OS::Glance::Image', '{"prefix":"traits:"}', '2026-01-01T00:00:00.000Z', '2026-01-01T00:00:00.000Z'),
('8382e4de-dbf1-5ce4-a1b7-38337e3a7028', 'a706fa78-789f-584a-a594-6e7cfb00b25e', 'property', 'COMPUTE_SECURITY_TPM_1_2', 'COMPUTE_SECURITY_TPM_1_2', '{"title":"Compute security TPM 1 2","type":"string","default":"required","enum":["required"]}', '2026-01-01T00:00:00.000Z', '2026-01-01T00:00:00.000Z'),
('a10b2970-b29d-59b9-8d7c-27f5f784da5e', 'a706fa78-789f-584a-a594-6e7cfb00b25e', 'property', 'COMPUTE_SECURITY_TPM_2_0', 'COMPUTE_SECURITY_TPM_2_0', '{"title":"Compute security TPM 2 0","type":"string","default":"required","enum":["required"]}', '2026-01-01T00:00:00.000Z', '2026-01-01T00:00:00.000Z'),
('fa538086-3eb0-5417-abba-c740ff979ed7', '4b8684f5-4f60-5e2a-907b-13b09e94e716', 'resource_type', 'OS::Glance::Image', 'OS::Glance::Image', '{"prefix":"hw_"}', '2026-01-01T00:00:00.000Z', '2026-01-01T00:00:00.000Z'),
('d77b5da9-e6a8-5eeb-ac54-f81dc2aa2879', '4b8684f5-4f60-5e2a-907b-13b09e94e716', 'resource_type', 'OS::Cinder::Volume', 'OS::Cinder::Volume', '{"prefix":"hw_","properties_target":"image"}', '2026-01-01T00:00:00.000Z', '2026-01-01T00:00:00.000Z'),
('cf41d92e-c1ce-56ba-ae31-3c780a807e0d', '4b8684f5-4f60-5e2a-907b-13b09e94e716', 'resource_type', 'OS::Nova::Flavor', 'OS::Nova::Flavor', '{"prefix":"hw:"}', '2026-01-01T00:00:00.000Z', '2026-01-01T00:00:00.000Z'),
('5ebb822a-8305-5f0d-9ca8-09dfb23870f5', '4b8684f5-4f60-5e2a-907b-13b09e94e716', 'property', 'cpu_sockets', 'cpu_sockets', '{"title":"CPU sockets","type":"integer"}', '2026-01-01T00:00:00.000Z', '2026-01-01T00:00:00.000Z'),
('973373ac-9fe5-5ce2-9bb9-e55cf077e3a0', '4b8684f5-4f60-5e2a-907b-13b09e94e716', 'property', 'cpu_cores', 'cpu_cores', '{"title":"CPU cores","type":"integer"}', '2026-01-01T00:00:00.000Z', '2026-01-01T00:00:00.000Z'),
('14c709ba-6c91-5897-a9c5-4d7095a6140c', '4b8684f5-4f60-5e2a-907b-13b09e94e716', 'property', 'cpu_threads', 'cpu_threads', '{"title":"CPU threads","type":"integer"}', '2026-01-01T00:00:00.000Z', '2026-01-01T00:00:00.000Z'),
('98cba8af-5521-58fb-b07f-a33873c81e6b', '4b8684f5-4f60-5e2a-907b-13b09e94e716', 'property', 'cpu_max_sockets', 'cpu_max_sockets', '{"title":"CPU maximum sockets","type":"integer"}', '2026-01-01T00:00:00.000Z', '2026-01-01T00:00:00.000Z'),
('74e14199-ab01-5b9b-8724-d81a9bcaab3b', '4b8684f5-4f60-5e2a-907b-13b09e94e716', 'property', 'cpu_max_cores', 'cpu_max_cores', '{"title":"CPU maximum cores","type":"integer"}', '2026-01-01T00:00:00.000Z', '2026-01-01T00:00:00.000Z'),
('bea41b56-0a74-57fd-ba8a-9314e9671698', '4b8684f5-4f60-5e2a-907b-13b09e94e716', 'property', 'cpu_max_threads', 'cpu_max_threads', '{"title":"CPU maximum threads","type":"integer"}', '2026-01-01T00:00:00.000Z', '2026-01-01T00:00:00.000Z'),
('7ea85c0c-e39d-5f42-bf92-5950c261b422', '613a5642-ac26-5587-8092-d55dd26ecf73', 'resource_type', 'OS::Glance::Image', 'OS::Glance::Image', '{"prefix":"hw_"}', '2026-01-01T00:00:00.000Z', '2026-01-01T00:00:00.000Z'),
('f72c6837-036a-5641-adea-7402c40b4b6f', '613a5642-ac26-5587-8092-d55dd26ecf73', 'resource_type', 'OS::Cinder::Volume', 'OS::Cinder::Volume', '{"prefix":"hw_","properties_target":"image"}', '2026-01-01T00:00:00.000Z', '2026-01-01T00:00:00.000Z'),
('c0faee27-b95a-534b-8749-560ec2f3eaf0', '613a5642-ac26-5587-8092-d55dd26ecf73', 'resource_type', 'OS::Nova::Flavor', 'OS::Nova::Flavor', '{"prefix":"hw:"}', '2026-01-01T00:00:00.000Z', '2026-01-01T00:00:00.000Z'),
('994765bc-23d7-54f5-84fc-b86abc550f26', '613a5642-ac26-5587-8092-d55dd26ecf73', 'property', 'watchdog_action', 'watchdog_action', '{"title":"Watchdog action","type":"string","enum":["disabled","reset","poweroff","pause","none"]}', '2026-01-01T00:00:00.000Z', '2026-01-01T00:00:00.000Z'),
('4fb107c0-628b-57a2-92df-d7142b4e42e4', 'b4554c6f-49fd-58b2-b611-b71afd93d694', 'resource_type', 'OS::Glance::Image', 'OS::Glance::Image', '{}', '2026-01-01T00:00:00.000Z', '2026-01-01T00:00:00.000Z'),
('a8a7ff5b-9b91-50b2-9977-1929874efc0e', 'b4554c6f-49fd-58b2-b611-b71afd93d694', 'property', 'auto_disk_config', 'auto_disk_config', '{"title":"Auto disk config","type":"boolean"}', '2026-01-01T00:00:00.000Z', '2026-01-01T00:00:00.000Z'),
('0853dbe4-76c0-5655-9ce7-d1864f1a971d', '74717942-b5db-5f86-9b62-bbd2ea0e8c15', 'property', 'kernel_id', 'kernel_id', '{"title":"Kernel ID","type":"string","pattern":"^([0-9a-fA-F]){8}-([0-9a-fA-F]){4}-([0-9a-fA-F]){4}-([0-9a-fA-F]){4}-([0-9a-fA-F]){12}$"}', '2026-01-01T00:00:00.000Z', '2026-01-01T00:00:00.000Z'),
('0efa7d67-21e6-5ddb-a863-56cf0908aea6', '74717942-b5db-5f86-9b62-bbd2ea0e8c15', 'property', 'ramdisk_id', 'ramdisk_id', '{"title":"Ramdisk ID","type":"string","pattern":"^([0-9a-fA-F]){8}-([0-9a-fA-F]){4}-([0-9a-fA-F]){4}-([0-9a-fA-F]){4}-([0-9a-fA-F]){12}$"}', '2026-01-01T00:00:00.000Z', '2026-01-01T00:00:00.000Z'),
('46e11946-5c6a-5c5e-a681-e108cdf93685', '74717942-b5db-5f86-9b62-bbd2ea0e8c15', 'property', 'instance_uuid', 'instance_uuid', '{"title":"Instance UUID","type":"string"}', '2026-01-01T00:00:00.000Z', '2026-01-01T00:00:00.000Z'),
('8bfe0ded-4f4d-541f-b400-52ace6456f01', '74717942-b5db-5f86-9b62-bbd2ea0e8c15', 'property', 'architecture', 'architecture', '{"title":"Architecture","type":"string"}', '2026-01-01T00:00:00.000Z', '2026-01-01T00:00:00.000Z'),
('f20a51c2-9e6e-583e-ba0a-635c10880095', '74717942-b5db-5f86-9b62-bbd2ea0e8c15', 'property', 'os_distro', 'os_distro', '{"title":"OS distro","type":"string"}', '2026-01-01T00:00:00.000Z', '2026-01-01T00:00:00.000Z'),
('c7888ef1-a9f7-52a1-90f4-6b510a0e3f3c', '74717942-b5db-5f86-9b62-bbd2ea0e8c15', 'property', 'hw_cpu_mode', 'hw_cpu_mode', '{"title":"Hardware CPU mode","type":"string"}', '2026-01-01T00:00:00.000Z', '2026-01-01T00:00:00.000Z'),
('7d656baa-9891-51c9-8ec2-c8ae2a9b009c', '74717942-b5db-5f86-9b62-bbd2ea0e8c15', 'property', 'os_version', 'os_version', '{"title":"OS version","type":"string"}', '2026-01-01T00:00:00.000Z', '2026-01-01T00:00:00.000Z'),
('078c74cb-58e6-5676-a7ef-627618614ed4', '74717942-b5db-5f86-9b62-bbd2ea0e8c15', 'property', 'description', 'description', '{"title":"Description","type":"string"}', '2026-01-01T00:00:00.000Z', '2026-01-01T00:00:00.000Z'),
('141f514d-a468-5323-a3b1-49138f223f95', '74717942-b5db-5f86-9b62-bbd2ea0e8c15', 'property', 'cinder_encryption_key_id', 'cinder_encryption_key_id', '{"title":"Cinder encryption key ID","type":"string"}', '2026-01-01T00:00:00.000Z', '2026-01-01T00:00:00.000Z'),
('a8d9d6d6-21be-5a47-9872-11ca080c0837', '74717942-b5db-5f86-9b62-bbd2ea0e8c15', 'property', 'cinder_encryption_key_deletion_policy', 'cinder_encryption_key_deletion_policy', '{"title":"Cinder encryption key deletion policy","type":"string","enum":["on_image_deletion","do_not_delete"]}', '2026-01-01T00:00:00.000Z', '2026-01-01T00:00:00.000Z'),
('a5571259-b7ac-5ec8-9c07-7522d654de38', 'ea034c68-da18-52a8-8faa-a7128ba21908', 'resource_type', 'OS::Glance::Image', 'OS::Glance::Image', '{}', '2026-01-01T00:00:00.000Z', '2026-01-01T00:00:00.000Z'),
('180c02b2-5480-5493-b242-3b576008284e', 'ea034c68-da18-52a8-8faa-a7128ba21908', 'property', 'img_signature', 'img_signature', '{"title":"Image signature","type":"string"}', '2026-01-01T00:00:00.000Z', '2026-01-01T00:00:00.000Z'),
('2ab85fd7-50d8-5604-801d-04ea5ced75c9', 'ea034c68-da18-52a8-8faa-a7128ba21908', 'property', 'img_signature_certificate_uuid', 'img_signature_certificate_uuid', '{"title":"Image signature certificate UUID","type":"string"}', '2026-01-01T00:00:00.000Z', '2026-01-01T00:00:00.000Z'),
('2e61b29f-14b8-5964-b7ed-ec774521c78a', 'ea034c68-da18-52a8-8faa-a7128ba21908', 'property', 'img_signature_hash_method', 'img_signature_hash_method', '{"title":"Image signature hash method","type":"string","enum":["SHA-224","SHA-256","SHA-384","SHA-512"]}', '2026-01-01T00:00:00.000Z', '2026-01-01T00:00:00.000Z'),
('02d0b034-0377-5b06-abf2-a95b9739f475', 'ea034c68-da18-52a8-8faa-a7128ba21908', 'property', 'img_signature_key_type', 'img_signature_key_type', '{"title":"Image signature key type","type":"string","enum":["RSA-PSS","DSA","ECC_SECT571K1","ECC_SECT409K1","ECC_SECT571R1","ECC_SECT409R1","ECC_SECP521R1","ECC_SECP384R1"]}', '2026-01-01T00:00:00.000Z', '2026-01-01T00:00:00.000Z'),
('f9b3d9fc-6044-559b-9346-9c2039c5b4b8', '140a364f-825c-54c4-a1c4-9e77fcfe5d61', 'resource_type', 'OS::Glance::Image', 'OS::Glance::Image', '{}', '2026-01-01T00:00:00.000Z', '2026-01-01T00:00:00.000Z'),
('5ec8b0f6-a774-5e98-9535-2591a6c0c002', '140a364f-825c-54c4-a1c4-9e77fcfe5d61', 'resource_type', 'OS::Cinder::Volume', 'OS::Cinder::Volume', '{"properties_target":"image"}', '2026-01-01T00:00:00.000Z', '2026-01-01T00:00:00.000Z'),
('0e6f7aba-31d9-587f-ba2c-1331a3e0f3cb', '140a364f-825c-54c4-a1c4-9e77fcfe5d61', 'property', 'os_distro', 'os_distro', '{"title":"OS distro","type":"string"}', '2026-01-01T00:00:00.000Z', '2026-01-01T00:00:00.000Z'),
('53530512-9323-5a25-a8b8-4d1d46c50513', '140a364f-825c-54c4-a1c4-9e77fcfe5d61', 'property', 'os_version', 'os_version', '{"title":"OS version","type":"string"}', '2026-01-01T00:00:00.000Z', '2026-01-01T00:00:00.000Z'),
('4bcbe63b-74c9-584f-bce2-1b9cd056924f', '140a364f-825c-54c4-a1c4-9e77fcfe5d61', 'property', 'os_admin_user', 'os_admin_user', '{"title":"OS admin user","type":"string"}', '2026-01-01T00:00:00.000Z', '2026-01-01T00:00:00.000Z'),
('377e6706-ff68-5e09-833e-4c54625d69c9', '6e233bc4-d0d2-57d3-891a-f76800dabdfa', 'resource_type', 'OS::Glance::Image', 'OS::Glance::Image', '{}', '2026-01-01T00:00:00.000Z', '2026-01-01T00:00:00.000Z'),
('da3b2bba-8063-55ea-a9f2-61dd7f3c8ffe', '6e233bc4-d0d2-57d3-891a-f76800dabdfa', 'resource_type', 'OS::Cinder::Volume', 'OS::Cinder::Volume', '{"properties_target":"image"}', '2026-01-01T00:00:00.000Z', '2026-01-01T00:00:00.000Z'),
('8fe86a72-f8a4-5f35-86a5-29d369e3a751', '6e233bc4-d0d2-57d3-891a-f76800dabdfa', 'resource_type', 'OS::Nova::Server', 'OS::Nova::Server', '{"properties_target":"metadata"}', '2026-01-01T00:00:00.000Z', '2026-01-01T00:00:00.000Z'),
('b871e3bb-6905-5f51-a385-9b5d4976e556', '6e233bc4-d0d2-57d3-891a-f76800dabdfa', 'resource_type', 'OS::Trove::Instance', 'OS::Trove::Instance', '{}', '2026-01-01T00:00:00.000Z', '2026-01-01T00:00:00.000Z'),
('43f54779-b18b-598d-88c2-8b35236755fc', '6e233bc4-d0d2-57d3-891a-f76800dabdfa', 'object', 'MySQL', 'MySQL', '{"properties":{"sw_database_mysql_version":{"title":"Software database MySQL version","type":"string"},"sw_database_mysql_listen_port":{"title":"Software database MySQL listen port","type":"integer","default":"3306","minimum":1,"maximum":65535},"sw_database_mysql_admin":{"title":"Software database MySQL admin","type":"string","default":"root"}}}', '2026-01-01T00:00:00.000Z', '2026-01-01T00:00:00.000Z'),
('f82f1717-c4e8-5bd1-a5ee-5bf6f91f44cb', '6e233bc4-d0d2-57d3-891a-f76800dabdfa', 'object', 'PostgreSQL', 'PostgreSQL', '{"properties":{"sw_database_postgresql_version":{"title":"Software database PostgreSQL version","type":"string"},"sw_database_postgresql_listen_port":{"title":"Software database PostgreSQL listen port","type":"integer","default":"5432","minimum":1,"maximum":65535},"sw_database_postgresql_admin":{"title":"Software database PostgreSQL admin","type":"string","default":"postgres"}}}', '2026-01-01T00:00:00.000Z', '2026-01-01T00:00:00.000Z'),
('564de38d-07ec-5083-8540-449b284994dd', '6e233bc4-d0d2-57d3-891a-f76800dabdfa', 'object', 'SQL Server', 'SQL Server', '{"properties":{"sw_database_sqlserver_version":{"title":"Software database sqlserver version","type":"string"},"sw_database_sqlserver_edition":{"title":"Software database sqlserver edition","type":"string","default":"Express","enum":["Datacenter","Enterprise","Standard","Web","Business Intelligence","Workgroup","Express","Compact (SQL CE)","Developer","Embedded (SSEE)","Express","Fast Track","LocalDB","Parallel Data Warehouse (PDW)","Business Intelligence","Datawarehouse Appliance Edition"]},"sw_database_sqlserver_listen_port":{"title":"Software database sqlserver listen port","type":"integer","default":"1433","minimum":1,"maximum":65535},"sw_database_postsqlserver_admin":{"title":"Software database postsqlserver admin","type":"string","default":"sa"}}}', '2026-01-01T00:00:00.000Z', '2026-01-01T00:00:00.000Z'),
('70393057-a58a-5770-8d8e-c111e0250608', '6e233bc4-d0d2-57d3-891a-f76800dabdfa', 'object', 'Oracle', 'Oracle', '{"properties":{"sw_database_oracle_version":{"title":"Software database oracle version","type":"string"},"sw_database_oracle_edition":{"title":"Software database oracle edition","type":"string","default":"Express","enum":["Enterprise","Standard","Standard Edition One","Express (XE)","Workgroup","Lite"]},"sw_database_oracle_listen_port":{"title":"Software database oracle listen port","type":"integer","default":"1521","minimum":1,"maximum":65535}}}', '2026-01-01T00:00:00.000Z', '2026-01-01T00:00:00.000Z'),
('2b618f51-4f8f-581c-87b7-2a325ee4db16', '6e233bc4-d0d2-57d3-891a-f76800dabdfa', 'object', 'DB2', 'DB2', '{"properties":{"sw_database_db2_version":{"title":"Software database DB2 version","type":"string"},"sw_database_db2_port":{"title":"Software database DB2 port","type":"integer","default":"5432","minimum":1,"maximum":65535},"sw_database_db2_admin":{"title":"Software database DB2 admin","type":"string"}}}', '2026-01-01T00:00:00.000Z', '2026-01-01T00:00:00.000Z'),
('fb212f78-4a72-574d-bc5a-fb96d53c195f', '6e233bc4-d0d2-57d3-891a-f76800dabdfa', 'object', 'MongoDB', 'MongoDB', '{"properties":{"sw_database_mongodb_version":{"title":"Software database MongoDB version","type":"string"},"sw_database_mongodb_listen_port":{"title":"Software database MongoDB listen port","type":"integer","default":"27017","minimum":1,"maximum":65535},"sw_database_mongodb_admin":{"title":"Software database MongoDB admin","type":"string"}}}', '2026-01-01T00:00:00.000Z', '2026-01-01T00:00:00.000Z'),
('1b400d75-876b-50e9-adb7-9831009ce1f8', '6e233bc4-d0d2-57d3-891a-f76800dabdfa', 'object', 'Couchbase Server', 'Couchbase Server', '{"properties":{"sw_database_couchbaseserver_version":{"title":"Software database couchbaseserver version","type":"string"},"sw_database_couchbaseserver_listen_port":{"title":"Software database couchbaseserver listen port","type":"integer","default":"11211","minimum":1,"maximum":65535},"sw_database_couchbaseserver_admin":{"title":"Software database couchbaseserver admin","type":"string","default":"admin"}}}', '2026-01-01T00:00:00.000Z', '2026-01-01T00:00:00.000Z'),
('7b004477-907a-5f1b-bf6c-36ed1fea19fc', '6e233bc4-d0d2-57d3-891a-f76800dabdfa', 'object', 'Redis', 'Redis', '{"properties":{"sw_database_redis_version":{"title":"Software database redis version","type":"string"},"sw_database_redis_listen_port":{"title":"Software database redis listen port","type":"integer","default":"6379","minimum":1,"maximum":65535},"sw_database_redis_admin":{"title":"Software database redis admin","type":"string","default":"admin"}}}', '2026-01-01T00:00:00.000Z', '2026-01-01T00:00:00.000Z'),
('3dc822a2-dc6a-5a81-aa61-1ac536f9b042', '6e233bc4-d0d2-57d3-891a-f76800dabdfa', 'object', 'CouchDB', 'CouchDB', '{"properties":{"sw_database_couchdb_version":{"title":"Software database CouchDB version","type":"string"},"sw_database_couchdb_listen_port":{"title":"Software database CouchDB listen port","type":"integer","default":"5984","minimum":1,"maximum":65535},"sw_database_couchdb_admin":{"title":"Software database CouchDB admin","type":"string"}}}', '2026-01-01T00:00:00.000Z', '2026-01-01T00:00:00.000Z'),
('0617cfb1-6e23-570e-be72-e9b5de7f560b', '6e233bc4-d0d2-57d3-891a-f76800dabdfa', 'object', 'Apache Cassandra', 'Apache Cassandra', '{"properties":{"sw_database_cassandra_version":{"title":"Software database cassandra version","type":"string"},"sw_database_cassandra_listen_port":{"title":"Software database cassandra listen port","type":"integer","default":"9160","minimum":1,"maximum":65535},"sw_database_cassandra_admin":{"title":"Software database cassandra admin","type":"string","default":"cassandra"}}}', '2026-01-01T00:00:00.000Z', '2026-01-01T00:00:00.000Z'),
('3925fdc8-360d-51d6-a759-91a75c16b9ee', '6e233bc4-d0d2-57d3-891a-f76800dabdfa', 'object', 'HBase', 'HBase', '{"properties":{"sw_database_hbase_version":{"title":"Software database HBase version","type":"string"}}}', '2026-01-01T00:00:00.000Z', '2026-01-01T00:00:00.000Z'),
('d84bd9fb-3e6e-5ac0-a7b9-ae5f8996edc2', '6e233bc4-d0d2-57d3-891a-f76800dabdfa', 'object', 'Hazlecast', 'Hazlecast', '{"properties":{"sw_database_hazlecast_version":{"title":"Software database hazlecast version","type":"string"},"sw_database_hazlecast_port":{"title":"Software database hazlecast port","type":"integer","default":"5701","minimum":1,"maximum":65535}}}', '2026-01-01T00:00:00.000Z', '2026-01-01T00:00:00.000Z'),
('92c44598-c61c-5184-bb96-1dc27518e547', 'f41863e5-1b6c-57b8-afe0-fec8b4b610cc', 'resource_type', 'OS::Glance::Image', 'OS::Glance::Image', '{}', '2026-01-01T00:00:00.000Z', '2026-01-01T00:00:00.000Z'),
('e04896fb-9e72-5cb0-9548-0abacb273974', 'f41863e5-1b6c-57b8-afe0-fec8b4b610cc', 'resource_type', 'OS::Cinder::Volume', 'OS::Cinder::Volume', '{"properties_target":"image"}', '2026-01-01T00:00:00.000Z', '2026-01-01T00:00:00.000Z'),
('24aafe1e-7eb6-5817-a645-376e57d37045', 'f41863e5-1b6c-57b8-afe0-fec8b4b610cc', 'resource_type', 'OS::Nova::Server', 'OS::Nova::Server', '{"properties_target":"metadata"}', '2026-01-01T00:00:00.000Z', '2026-01-01T00:00:00.000Z'),
('f9e713ca-a60e-51c6-801c-5109b4213456', 'f41863e5-1b6c-57b8-afe0-fec8b4b610cc', 'object', 'PHP', 'PHP', '{"properties":{"sw_runtime_php_version":{"title":"Software runtime PHP version","type":"string"}}}', '2026-01-01T00:00:00.000Z', '2026-01-01T00:00:00.000Z'),
('56ffc5f2-5683-5c34-96a3-820a7bcaf2c3', 'f41863e5-1b6c-57b8-afe0-fec8b4b610cc', 'object', 'Python', 'Python', '{"properties":{"sw_runtime_python_version":{"title":"Software runtime python version","type":"string"}}}', '2026-01-01T00:00:00.000Z', '2026-01-01T00:00:00.000Z'),
('3f3a5534-b782-5ee4-9050-37ae133ec3a2', 'f41863e5-1b6c-57b8-afe0-fec8b4b610cc', 'object', 'Java', 'Java', '{"properties":{"sw_runtime_java_version":{"title":"Software runtime java version","type":"string"}}}', '2026-01-01T00:00:00.000Z', '2026-01-01T00:00:00.000Z'),
('4b18e838-2ae3-5225-98ed-cfbd4028dd46', 'f41863e5-1b6c-57b8-afe0-fec8b4b610cc', 'object', 'Ruby', 'Ruby', '{"properties":{"sw_runtime_ruby_version":{"title":"Software runtime ruby version","type":"string"}}}', '2026-01-01T00:00:00.000Z', '2026-01-01T00:00:00.000Z'),
('02831051-3717-552a-9f00-934ee3236b76', 'f41863e5-1b6c-57b8-afe0-fec8b4b610cc', 'object', 'Perl', 'Perl', '{"properties":{"sw_runtime_perl_version":{"title":"Software runtime perl version","type":"string"}}}', '2026-01-01T00:00:00.000Z', '2026-01-01T00:00:00.000Z'),
('f43aa793-0c91-50e1-a7d2-9ae949438b66', 'b226148a-1718-5863-b156-73c3b3095de8', 'resource_type', 'OS::Glance::Image', 'OS::Glance::Image', '{}', '2026-01-01T00:00:00.000Z', '2026-01-01T00:00:00.000Z'),
('2c4383ad-f4f8-5695-b9f1-94fb8d5d7142', 'b226148a-1718-5863-b156-73c3b3095de8', 'resource_type', 'OS::Cinder::Volume', 'OS::Cinder::Volume', '{"properties_target":"image"}', '2026-01-01T00:00:00.000Z', '2026-01-01T00:00:00.000Z'),
('7222e6f2-9b29-5c95-baaa-4f7e52aaf5ff', 'b226148a-1718-5863-b156-73c3b3095de8', 'resource_type', 'OS::Nova::Server', 'OS::Nova::Server', '{"properties_target":"metadata"}', '2026-01-01T00:00:00.000Z', '2026-01-01T00:00:00.000Z'),
('50a32196-fb59-5d3e-a86c-9f8d4d975491', 'b226148a-1718-5863-b156-73c3b3095de8', 'object', 'Apache HTTP Server', 'Apache HTTP Server', '{"properties":{"sw_webserver_apache_version":{"title":"Software webserver apache version","type":"string"},"sw_webserver_apache_http_port":{"title":"Software webserver apache HTTP port","type":"integer","default":"80","minimum":1,"maximum":65535},"sw_webserver_apache_https_port":{"title":"Software webserver apache HTTPS port","type":"integer","default":"443","minimum":1,"maximum":65535}}}', '2026-01-01T00:00:00.000Z', '2026-01-01T00:00:00.000Z'),
('8e32fda1-5537-57ee-8d3f-35d863f5389e', 'b226148a-1718-5863-b156-73c3b3095de8', 'object', 'Nginx', 'Nginx', '{"properties":{"sw_webserver_nginx_version":{"title":"Software webserver nginx version","type":"string"},"sw_webserver_nginx_http_port":{"title":"Software webserver nginx HTTP port","type":"integer","default":"80","minimum":1,"maximum":65535},"sw_webserver_nginx_https_port":{"title":"Software webserver nginx HTTPS port","type":"integer","default":"443","minimum":1,"maximum":65535}}}', '2026-01-01T00:00:00.000Z', '2026-01-01T00:00:00.000Z'),
('9479e3dd-5e81-5660-a209-565c59595ac3', 'b226148a-1718-5863-b156-73c3b3095de8', 'object', 'IIS', 'IIS', '{"properties":{"sw_webserver_iis_version":{"title":"Software webserver IIS version","type":"string"},"sw_webserver_iis_http_port":{"title":"Software webserver IIS HTTP port","type":"integer","default":"80","minimum":1,"maximum":65535},"sw_webserver_iis_https_port":{"title":"Software webserver IIS HTTPS port","type":"integer","default":"443","minimum":1,"maximum":65535}}}', '2026-01-01T00:00:00.000Z', '2026-01-01T00:00:00.000Z');

insert into "image_metadef_resource_types" values
('OS::Cinder::Volume', '2026-01-01T00:00:00.000Z', '2026-01-01T00:00:00.000Z'),
('OS::Glance::Image', '2026-01-01T00:00:00.000Z', '2026-01-01T00:00:00.000Z'),
('OS::Nova::Aggregate', '2026-01-01T00:00:00.000Z', '2026-01-01T00:00:00.000Z'),
('OS::Nova::Flavor', '2026-01-01T00:00:00.000Z', '2026-01-01T00:00:00.000Z'),
('OS::Nova::Server', '2026-01-01T00:00:00.000Z', '2026-01-01T00:00:00.000Z'),
('OS::Trove::Instance', '2026-01-01T00:00:00.000Z', '2026-01-01T00:00:00.000Z');

insert into "sqlite_sequence" values
('compute_flavor_numbers', 0);
