/** What a request says of itself beside what it asks for. It goes along wherever the request leads: logs, events, sagas, calls of hosts. */

export interface RequestFacts {
  readonly requestId: string
  /** The caller's own request id, when another service or client sent one. */
  readonly globalRequestId?: string | undefined
  /** What the caller calls the work that the request is part of. */
  readonly clientTag?: string | undefined
}

/** As rows keep them. */
export interface FactColumns {
  request_id: string
  global_request_id: string | null
  client_tag: string | null
}

/** The facts alone, of what has more. */
export const factsOf = ({ requestId, globalRequestId, clientTag }: RequestFacts): RequestFacts => ({
  requestId,
  ...(globalRequestId !== undefined && { globalRequestId }),
  ...(clientTag !== undefined && { clientTag }),
})

export const factColumns = ({ requestId, globalRequestId, clientTag }: RequestFacts): FactColumns => ({
  request_id: requestId,
  global_request_id: globalRequestId ?? null,
  client_tag: clientTag ?? null,
})

export const factsIn = ({ request_id, global_request_id, client_tag }: FactColumns): RequestFacts =>
  factsOf({
    requestId: request_id,
    globalRequestId: global_request_id ?? undefined,
    clientTag: client_tag ?? undefined,
  })
