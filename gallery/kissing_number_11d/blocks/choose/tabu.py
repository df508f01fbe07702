def choose(sizes, good, rng):
    """Put a bundle in, throw out what does not agree with it; what was thrown out must wait (tabu search: Glover 1986)."""
    rounds, wait = 3000, 7
    inside = np.zeros(len(sizes), dtype=bool)
    usable, until = np.diagonal(good), np.zeros(len(sizes), dtype=int)
    bad = (~good).astype(np.int32)
    cost = np.zeros(len(sizes), dtype=np.int64)
    best, most = inside.copy(), 0
    for now in range(rounds):
        open_ = usable & ~inside & (until <= now)
        if not open_.any():
            continue
        gain = np.where(open_, sizes - cost + 0.5 * rng.random(len(sizes)), -np.inf)
        i = int(gain.argmax())
        out = np.flatnonzero(inside & (bad[i] > 0))
        inside[out] = False
        until[out] = now + wait + rng.integers(wait)
        inside[i] = True
        cost += sizes[i] * bad[i] - (sizes[out, None] * bad[out]).sum(axis=0)
        if sizes[inside].sum() > most:
            best, most = inside.copy(), sizes[inside].sum()
    return np.flatnonzero(best).tolist()
