/** Servers go where it is cool. What daemons tell of a host is in `host.signals`; a host that nothing is told of passes. */

export const filters = {
  /** Undefined lets the host pass; anything else says what was asked for and what the host had. */
  CoolHostFilter(host, request) {
    const most = Number(request.hints?.max_temp?.[0] ?? 60)
    const { temp, rack_id: rack } = host.signals
    if (temp === undefined || temp <= most) return undefined
    return { asked: `at most ${most} °C`, had: `${temp} °C in rack ${rack}` }
  },
}

/** Figures are spread over 0 to 1 and counted with `compute.scheduler.own_weights`. */
export const weighers = {
  coolness: host => -(host.signals.temp ?? 0),
}

/** Listed by `GET /v2.1/os-scheduler-hints`. */
export const hints = [{ name: 'max_temp', description: 'How warm, in °C, the host of the server may be.' }]
