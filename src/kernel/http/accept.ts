/** What a caller takes for an answer, by its Accept header. */

/** A caller who says nothing takes everything. */
export const acceptsJson = (header: string | undefined): boolean =>
  header === undefined ||
  header.trim() === '' ||
  header.split(',').some(part => {
    const [range, ...parameters] = part.split(';').map(text => text.trim().toLowerCase())
    return (
      (range === '*/*' || range === 'application/*' || range === 'application/json') &&
      !parameters.some(text => /^q=0(\.0*)?$/.test(text))
    )
  })
