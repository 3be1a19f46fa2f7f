/** Where a domain's users and groups are when they are not here: read only, and asked with an end in time. */

export interface DirectoryUser {
  /** What it is called in the directory for good. */
  local_id: string
  /** Where it is: for passwords and members. */
  place: string
  name: string
  enabled: boolean
  default_project_id: string | null
  /** Description, email and whatever else is mapped. */
  extra: Record<string, string>
}

export interface DirectoryGroup {
  local_id: string
  /** Where it is: for its members. */
  place: string
  name: string
  description: string
  /** Local ids or places of its members, as the directory keeps them. */
  members: string[]
}

export interface Directory extends AsyncDisposable {
  user(by: { name: string }): Promise<DirectoryUser | undefined>
  /** Those of them that are there. */
  usersById(localIds: readonly string[]): Promise<DirectoryUser[]>
  /** All, or those with the name. */
  users(name?: string): Promise<DirectoryUser[]>
  groups(name?: string): Promise<DirectoryGroup[]>
  /** With groups in groups, also those that the user is in by another. */
  groupsOf(user: DirectoryUser): Promise<DirectoryGroup[]>
  /** Whom the group has for members; with groups in groups, those of the groups in it too. */
  membersOf(group: DirectoryGroup): Promise<DirectoryUser[]>
  /** Which of the groups each of the users is in, in the same order. */
  groupsOfAll(users: readonly DirectoryUser[], groups: readonly DirectoryGroup[]): Promise<DirectoryGroup[][]>
  /** Whether the password is the user's; never for an empty one. */
  isPassword(user: DirectoryUser, password: string): Promise<boolean>
}
