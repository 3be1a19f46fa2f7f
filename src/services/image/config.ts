/** The section of the configuration about images. */
import { secret, section } from '#kernel/config/section.ts'
import { Type } from '#kernel/schema/builders.ts'

export const imageConfig = section(
  'image',
  Type.Object(
    {
      directory: Type.String({
        default: '',
        description: 'Folder of the image files; by default a temporary one that is removed at the end.',
      }),
      weight: Type.Integer({
        default: 0,
        description:
          'Of several stores that hold an image the heaviest is read from; this is the weight of the folder.',
      }),
      quota_weight: Type.Number({
        default: 1,
        minimum: 0,
        description: 'How much of image_size_total a byte in the folder takes: more where its room is scarce.',
      }),
      stores: Type.Record(
        Type.String({ pattern: '^(?!file$)[A-Za-z0-9_-]{1,64}$' }),
        Type.Object({
          type: Type.Union(
            [
              Type.Literal('file'),
              Type.Literal('chunks'),
              Type.Literal('s3'),
              Type.Literal('http'),
              Type.Literal('watched'),
            ],
            {
              description:
                'A folder; a folder in which images share what they have in common (chunks); a bucket of an S3-compatible server; web servers that images are only read from; a folder of disks that become images by themselves (watched).',
            },
          ),
          directory: Type.Optional(Type.String({ description: 'Folder of the image files.' })),
          weight: Type.Optional(Type.Integer({ description: 'The heaviest is read from.' })),
          description: Type.Optional(Type.String({ description: 'What it is good for, for users.' })),
          endpoint: Type.Optional(
            Type.String({ pattern: '^https?://[^/?#@]+(/[^?#]*)?$', description: 's3: https://s3.example.org' }),
          ),
          region: Type.Optional(Type.String({ description: 's3: by default us-east-1.' })),
          bucket: Type.Optional(
            Type.String({ pattern: '^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$', description: 's3: it has to exist.' }),
          ),
          prefix: Type.Optional(
            Type.String({ pattern: '^[A-Za-z0-9/_.-]*$', description: 's3: what names in the bucket begin with.' }),
          ),
          access_key: Type.Optional(Type.String({ description: 's3: who reads and writes there.' })),
          secret_key: Type.Optional(secret({ description: "s3: that user's secret." })),
          storage_class: Type.Optional(
            Type.String({ pattern: '^[A-Z_]*$', description: 's3: REDUCED_REDUNDANCY and so on.' }),
          ),
          storage_classes: Type.Optional(
            Type.Record(Type.String(), Type.String({ pattern: '^[A-Z_]+$' }), {
              description:
                's3: classes that users may choose for an image by its property store_class, by what they call them; standard and reduced by default.',
            }),
          ),
          quota_weight: Type.Optional(
            Type.Number({ minimum: 0, description: 'How much of image_size_total a byte in this store takes; 1.' }),
          ),
          part_bytes: Type.Optional(
            Type.Integer({
              minimum: 5_242_880,
              description: 's3: bigger images are sent in parts of so much, 64 MiB by default.',
            }),
          ),
        }),
        { default: {}, description: 'More stores beside the folder, which is called "file": by name.' },
      ),
      default_store: Type.String({ default: 'file', description: 'Where bytes go when no store is asked for.' }),
      delayed_delete_seconds: Type.Integer({
        default: 0,
        minimum: 0,
        description: 'For how long the files of deleted images are kept, for an administrator to rescue.',
      }),
      import_methods: Type.Array(Type.String(), {
        default: ['glance-direct', 'web-download', 'copy-image', 'glance-download'],
        description: 'How images may be imported.',
      }),
      import_schemes: Type.Array(Type.String(), {
        default: ['http', 'https'],
        description: 'Schemes of addresses that users may have images downloaded from.',
      }),
      import_ports: Type.Array(Type.Integer(), {
        default: [80, 443],
        description: 'Ports that users may have images downloaded from; none: all.',
      }),
      import_hosts: Type.Array(Type.String(), {
        default: [],
        description: 'The only hosts that users may have images downloaded from; none: all but those refused.',
      }),
      import_refused_hosts: Type.Array(Type.String(), {
        default: [],
        description: 'Hosts that users may not have images downloaded from, when not only some are allowed.',
      }),
      import_networks: Type.Array(Type.String(), {
        default: [],
        description:
          'Networks (10.0.0.0/8) that users may have images downloaded from beside the Internet: local addresses are refused otherwise.',
      }),
      convert_imports_to: Type.Union([Type.Literal(''), Type.Literal('raw'), Type.Literal('qcow2')], {
        default: '',
        description:
          'Format into which imported disks are converted by qemu-img, and then have to be what they are declared to be; none: they stay as they are.',
      }),
      download_properties: Type.Array(Type.String(), {
        default: ['hw_', 'trait:', 'os_distro', 'os_secure_boot', 'os_type'],
        description: 'What the names of properties begin with that come with an image of another image service.',
      }),
      cache_bytes: Type.Integer({
        default: 10_737_418_240,
        minimum: 0,
        description: 'How much disk the copies of images may take that are far away; 0: none are kept.',
      }),
      cache_directory: Type.String({
        default: '',
        description: 'Folder of those copies, of this node alone; by default cache/ in the folder of the images.',
      }),
      cache_node: Type.String({ default: '', description: "What the cache's node is called; by default the host." }),
      download_bytes_per_minute: Type.Integer({
        default: 0,
        minimum: 0,
        description:
          'What a user may download through the API, all processes together; past a minute of it in advance there is a 429 with Retry-After. 0: as much as they like.',
      }),
      task_hours: Type.Integer({ default: 48, minimum: 0, description: 'For how long tasks that ended are shown.' }),
      show_locations: Type.Boolean({
        default: false,
        description: 'Whether images show where their bytes are, and owners may change it. Not safe for strangers.',
      }),
      show_direct_url: Type.Boolean({
        default: false,
        description: 'Whether images show the address of their bytes in the store.',
      }),
      max_size_bytes: Type.Integer({
        default: 1_099_511_627_776,
        minimum: 1,
        description: 'Largest image file that is taken.',
      }),
      max_virtual_size_bytes: Type.Integer({
        default: 70_368_744_177_664,
        minimum: 1,
        description: 'Largest disk that an image may hold, as a guest sees it.',
      }),
      require_format_match: Type.Boolean({
        default: true,
        description:
          'Whether content of another format than the declared one is refused. Where it is not, servers made of it fail.',
      }),
      refuse_unsafe: Type.Boolean({
        default: true,
        description:
          'Whether content is refused that no hypervisor may open, such as a disk that names other files. Where it is not, servers made of it fail.',
      }),
      project_bytes: Type.Integer({
        default: 0,
        minimum: 0,
        description: "Most bytes that a project's images may have in all; 0 is no limit.",
      }),
      project_images: Type.Integer({
        default: 0,
        minimum: 0,
        description: 'Most images that a project may have; 0 is no limit.',
      }),
      properties_file: Type.String({
        default: '',
        description:
          'JSON file with the JSON schemas, by name, of more properties that images have here. All are of type string.',
      }),
      other_properties: Type.Boolean({
        default: true,
        description: 'Whether images may have properties that no schema describes.',
      }),
      certificates_directory: Type.String({
        default: '',
        description:
          'Folder of certificates, UUID.pem, that signatures of images are checked with; without it none is checked.',
      }),
      stale_upload_seconds: Type.Integer({
        default: 300,
        minimum: 30,
        description: 'An upload without a sign of life for so long has died: the image is queued again.',
      }),
    },
    { description: 'Images: where they are and how big they may be.' },
  ),
)
