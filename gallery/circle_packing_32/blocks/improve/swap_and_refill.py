def improve(centres, rng):
    best = grow(centres).sum()
    for _ in range(60):
        moved = centres.copy()
        radii = grow(moved)
        out = int(np.argsort(radii)[rng.integers(6)])
        tries = rng.random((60, 2))
        others = np.delete(np.arange(N), out)
        room = (np.hypot(*(tries[:, None] - moved[others]).transpose(2, 0, 1)) - radii[others]).min(axis=1)
        room = np.minimum(room, np.minimum(tries, 1 - tries).min(axis=1))
        moved[out] = tries[room.argmax()]
        total = grow(moved).sum()
        if total > best:
            centres, best = moved, total
    return centres
