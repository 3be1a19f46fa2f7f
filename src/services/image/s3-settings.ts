/** What a bucket of an S3-compatible server is, as the configuration says it. */

export interface S3Settings {
  /** https://s3.example.org */
  endpoint: string
  region: string
  bucket: string
  /** What the names of objects begin with. */
  prefix: string
  access_key: string
  secret_key: string
  /** None: the bucket's own. */
  storage_class: string
  /** Classes that users may choose, by what they call them. */
  storage_classes: Record<string, string>
  part_bytes: number
}

export function s3SettingsOf(given: Partial<S3Settings>): S3Settings {
  const { endpoint = '', bucket = '', access_key = '', secret_key = '' } = given
  const { region = 'us-east-1', prefix = '', storage_class = '', part_bytes = 67_108_864 } = given
  const { storage_classes = { standard: 'STANDARD', reduced: 'REDUCED_REDUNDANCY' } } = given
  return { endpoint, region, bucket, prefix, access_key, secret_key, storage_class, storage_classes, part_bytes }
}

/** The address of an object as the API shows it: nothing in it is secret. */
export const s3Url = ({ endpoint, bucket, prefix }: S3Settings, key: string): string =>
  `s3://${new URL(endpoint).host}/${bucket}/${prefix}${key}`

/** Whether the server can copy from the one to the other: it is one, and so is the user, who may read there and write here. */
export const ofOneServer = (one: S3Settings, other: S3Settings): boolean =>
  one.endpoint === other.endpoint && one.access_key === other.access_key
