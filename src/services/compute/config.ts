/** Configuration of the compute service. */
import { secret, section } from '#kernel/config/section.ts'
import { Type } from '#kernel/schema/builders.ts'
import { deletedFilesSection, hostsSection, pciSection, simulatedSection } from './config-hosts.ts'
import { schedulerSection } from './config-scheduler.ts'

const limit = (value: number, description: string) => Type.Integer({ default: value, minimum: -1, description })

export const computeConfig = section(
  'compute',
  Type.Object(
    {
      default_availability_zone: Type.String({
        default: 'nova',
        description: 'Zone of hosts that no aggregate puts in another one.',
      }),
      build_timeout_seconds: Type.Integer({
        default: 1800,
        minimum: 10,
        description: 'How long a server may take to build before it is undone and put in ERROR.',
      }),
      schedule_attempts: Type.Integer({
        default: 3,
        minimum: 1,
        description: 'How many hosts are tried for a new server.',
      }),
      plans: Type.Object(
        {
          batch: Type.Integer({
            default: 20,
            minimum: 1,
            maximum: 200,
            description: 'Servers that are placed in one transaction; a request for more becomes a plan.',
          }),
          whole: Type.Integer({
            default: 200,
            minimum: 1,
            maximum: 1000,
            description:
              'Most servers of a request that is placed as a whole, in one transaction (all_or_nothing, same_place).',
          }),
          attempts: Type.Integer({ default: 10, minimum: 1, description: 'How many hosts are tried for each server.' }),
          timeout_seconds: Type.Integer({
            default: 7200,
            minimum: 1,
            description: 'How long it may take until all are built; then all of them are deleted again.',
          }),
          failures_percent: Type.Integer({
            default: 100,
            minimum: 0,
            maximum: 100,
            description: 'How many of a hundred may end in ERROR; when more do, all of them are deleted again.',
          }),
        },
        { description: 'Requests for many servers at once.' },
      ),
      allow_resize_to_same_host: Type.Boolean({
        default: true,
        description:
          'Whether a resized server may stay on its host, with both its old and its new disks until it is confirmed.',
      }),
      resize_confirm_seconds: Type.Integer({
        default: 0,
        minimum: 0,
        description: 'How long a resized server waits for its owner before the resize is confirmed; 0 is for ever.',
      }),
      shelved_offload_seconds: Type.Integer({
        default: 0,
        minimum: -1,
        description: 'How long the disks of a shelved server stay on its host; -1 is until they are asked to go.',
      }),
      shelved_keep_free_percent: Type.Integer({
        default: 0,
        minimum: 0,
        maximum: 100,
        description:
          'A host with less than this free of its vCPUs, memory or disk lets go of shelved servers, those first that were shelved first; 0 is no reason to.',
      }),
      reclaim_instance_seconds: Type.Integer({
        default: 0,
        minimum: 0,
        description:
          'How long a deleted server can still be restored; 0 deletes at once, as a server is that is being built or moved.',
      }),
      deleted_disks: Type.Object(
        {
          hours: Type.Integer({
            default: 0,
            minimum: 0,
            maximum: 87_600,
            description: 'How long the image of a deleted server is kept; 0: none is made.',
          }),
          always: Type.Boolean({
            default: false,
            description:
              'Whether one is made of every server, unless its metadata says backup_on_delete=false; else of those that say true.',
          }),
        },
        { description: 'Disks of deleted servers, as images of their project.' },
      ),
      deleted_files: deletedFilesSection,
      stuck_seconds: Type.Object(
        {
          reboot: Type.Integer({ default: 180, minimum: 1, description: 'A reboot.' }),
          rebuild: Type.Integer({ default: 1800, minimum: 1, description: 'A rebuild.' }),
          move: Type.Integer({ default: 3600, minimum: 1, description: 'A resize or migration.' }),
        },
        {
          description:
            'How long after its last change a server that is busy with something may be told to begin it anew.',
        },
      ),
      high_availability: Type.Object(
        {
          after_seconds: Type.Integer({
            default: 0,
            minimum: 0,
            description:
              'How long a host must have been down, and not answer, until its servers that are marked with HA_Enabled are built anew elsewhere; 0 is never. A host that is only cut off keeps its guests running: set fence_command, or have it fenced within this time.',
          }),
          fence_command: Type.Array(Type.String({ minLength: 1 }), {
            default: [],
            maxItems: 32,
            description:
              "The program and arguments that make sure that a failed host is off (power switch, BMC), before any of its servers is built elsewhere; the host's name comes last. Only exit code 0 means that it is off for certain. It may be run again. Without one nothing is fenced.",
          }),
          fence_timeout_seconds: Type.Integer({
            default: 60,
            minimum: 1,
            maximum: 3600,
            description: 'How long it may take; then it has failed, and is tried again a minute later.',
          }),
          together: Type.Integer({ default: 10, minimum: 1, description: 'How many servers come back at a time.' }),
        },
        { description: 'Servers of failed hosts.' },
      ),
      maintenance: Type.Object(
        {
          together: Type.Integer({
            default: 4,
            minimum: 1,
            maximum: 100,
            description: 'How many servers are moved, suspended or resumed at a time, unless the request says so.',
          }),
          patience_seconds: Type.Integer({
            default: 600,
            minimum: 1,
            description: 'How long a server that is busy with something else is waited for.',
          }),
        },
        { description: 'Hosts that are emptied, or restarted with their servers suspended.' },
      ),
      stop_grace_seconds: Type.Integer({
        default: 60,
        minimum: 0,
        description: 'How long a guest may take to shut down before its power is cut.',
      }),
      force_config_drive: Type.Boolean({
        default: false,
        description: 'Gives every new server a config drive, asked for or not.',
      }),
      dhcp_domain: Type.String({
        default: 'novalocal',
        description: "Domain after a server's name in its metadata; empty for none.",
      }),
      notify_on_state_change: Type.Union(
        [Type.Literal('none'), Type.Literal('vm_state'), Type.Literal('vm_and_task_state')],
        {
          default: 'none',
          description:
            "Whether a change of a server's state is an event of its own (compute.instance.update), beside those of what was done: of its vm_state, or of its task_state as well.",
        },
      ),
      notify_block_devices: Type.Boolean({
        default: false,
        description: 'Whether events of servers tell which volumes they have.',
      }),
      notify_scheduling: Type.Boolean({
        default: false,
        description: 'Whether each choice of a host is told, as scheduler.select_destinations.start and .end.',
      }),
      max_local_block_devices: Type.Integer({
        default: 3,
        minimum: -1,
        description: "Most disks of a server on its host, its root disk and the flavor's among them; -1 is no limit.",
      }),
      metadata_cache_seconds: Type.Integer({
        default: 15,
        minimum: 0,
        description:
          'How old what guests read of themselves may be, as far as it is not of the server alone; who asks is looked at each time.',
      }),
      vendordata: Type.Object({
        file: Type.String({ default: '', description: 'A JSON file that all guests read as vendor data.' }),
        targets: Type.Array(Type.String({ pattern: '^[^@\\s]+@https?://\\S+$' }), {
          default: [],
          description:
            'Web services that are asked about a server and whose answers it reads in vendor_data2.json, each as name@URL.',
        }),
        timeout_seconds: Type.Integer({ default: 5, minimum: 1, description: 'How long a target may take.' }),
        failure_fatal: Type.Boolean({
          default: false,
          description: 'Whether a target that fails fails what the guest asked, or the boot with a config drive.',
        }),
        auth: Type.Object({
          username: Type.String({
            default: '',
            description: 'The account whose token targets are sent in X-Auth-Token; empty for none.',
          }),
          password: secret({ default: '', description: 'Its password.' }),
          project: Type.String({ default: 'service', description: 'Its project.' }),
          domain: Type.String({ default: 'Default', description: "The account's domain, and the project's." }),
          url: Type.String({ default: '', description: "Identity's address before /v3; empty for this cloud's own." }),
        }),
      }),
      lowercase_metadata_keys: Type.Boolean({
        default: false,
        description:
          'Whether keys of metadata that is set on servers and aggregates must be in lower case, so that none differ by case only. Upstream takes all, and some clients use capitals.',
      }),
      max_page: Type.Integer({ default: 1000, minimum: 1, description: 'Most servers in one answer of a list.' }),
      disabled_parts: Type.Array(Type.String(), {
        default: [],
        description:
          'Optional parts of the API, and extensions, that this cloud does without, by alias such as os-shelve: they are not listed at /extensions, and their routes are 404.',
      }),
      extensions: Type.Array(Type.String({ minLength: 1 }), {
        default: [],
        description: 'Extensions of the API: modules of JavaScript or TypeScript, or folders of such modules.',
      }),
      extension_hook_seconds: Type.Number({
        default: 5,
        minimum: 0.01,
        maximum: 60,
        description: 'How long a hook of an extension may take: then nothing is created (503), or shown of it.',
      }),
      rate_limits: Type.Array(
        Type.String({ pattern: '^(\\*|GET|POST|PUT|DELETE) (\\*|/[^ ]*) [1-9][0-9]{0,8} (second|minute|hour|day)$' }),
        {
          default: [],
          maxItems: 50,
          description:
            'How many requests each user may make: method, path below the version (* stands for any text, alone for all), number and span of time, such as "POST /servers* 10 minute". Past one the answer is 429 with Retry-After; GET /limits lists them.',
        },
      ),
      orphan_grace_seconds: Type.Integer({
        default: 600,
        minimum: 0,
        description: 'How long a guest that no server stands for is left alone before it is destroyed.',
      }),
      hosts: hostsSection,
      simulated: simulatedSection,
      pci: pciSection,
      usage_audit: Type.Object({
        enabled: Type.Boolean({
          default: false,
          description: 'Whether each period of usage ends with an event for every server that ran in it.',
        }),
        period: Type.String({
          default: 'month',
          pattern:
            '^(hour(@[1-5]?[0-9])?|day(@(1?[0-9]|2[0-3]))?|month(@([1-9]|1[0-9]|2[0-8]))?|year(@([1-9]|1[0-2]))?)$',
          description: 'hour, day, month or year; with @ and a number it begins at that minute, hour, day or month.',
        }),
      }),
      console_token_seconds: Type.Integer({
        default: 600,
        minimum: 10,
        description: 'How long after it was asked for the address of a console may be opened.',
      }),
      scheduler: schedulerSection,
      quota_driver: Type.Union([Type.Literal('database'), Type.Literal('unified_limits')], {
        default: 'database',
        description:
          'Where limits of projects are: in the quota sets of this service over those of `quota`, or in the unified limits of identity (servers, class:VCPU, class:MEMORY_MB, class:DISK_GB, server_key_pairs …).',
      }),
      unified_limits_resource_strategy: Type.Union([Type.Literal('require'), Type.Literal('ignore')], {
        default: 'require',
        description:
          'With unified limits: of the resources in the list nothing may be had until a limit is registered (require), or only of those not in it (ignore).',
      }),
      unified_limits_resource_list: Type.Array(Type.String(), {
        default: ['servers'],
        description: 'The resources that this is said of, by their names in identity.',
      }),
      quota: Type.Object({
        instances: limit(10, 'Servers of a project; -1 is no limit.'),
        cores: limit(20, 'vCPUs of a project.'),
        ram: limit(51_200, 'MiB of memory of a project.'),
        metadata_items: limit(128, 'Metadata items of a server or image.'),
        injected_files: limit(5, 'Files put into a server at creation.'),
        injected_file_content_bytes: limit(10_240, 'Size of such a file.'),
        injected_file_path_bytes: limit(255, "Length of such a file's path."),
        key_pairs: limit(100, 'Key pairs of a user.'),
        server_groups: limit(10, 'Server groups of a project.'),
        server_group_members: limit(10, 'Servers of a group.'),
      }),
    },
    { description: 'Servers and hosts.' },
  ),
)
