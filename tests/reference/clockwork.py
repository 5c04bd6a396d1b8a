"""The clockwork network."""

import numpy as np


def clockwork(params, carry, xs, periods):
    """Group k runs where t mod T_k = 0 and listens to itself and to slower groups; Koutník 2014."""
    (h, t), ys = carry, []
    size, cycle = h.shape[-1] // len(periods), np.lcm.reduce(periods)
    for x in xs:
        now, before = np.round(np.real(t)), h
        h = before.copy()
        for k, period in enumerate(periods):
            unit = slice(k * size, (k + 1) * size)
            heard = slice(k * size, None)
            sums = x @ params.w_x[:, unit] + before[:, heard] @ params.w_h[heard, unit]
            runs = (now % period == 0)[:, None]
            h = h.astype(np.result_type(h, sums, params.b))
            h[:, unit] = np.where(runs, np.tanh(sums + params.b[unit]), before[:, unit])
        t = t + 1
        t = t - cycle * np.floor(np.real(t) / cycle)
        ys.append(h)
    return (h, t), np.stack(ys)
