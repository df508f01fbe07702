def improve(centres, sides, rng):
    best = grow(centres, sides).sum()
    for _ in range(60):
        moved = centres.copy()
        radii = grow(moved, sides)
        out = int(np.argsort(radii)[rng.integers(6)])
        tries = rng.random((60, 2)) * sides
        others = np.delete(np.arange(N), out)
        room = (np.hypot(*(tries[:, None] - moved[others]).transpose(2, 0, 1)) - radii[others]).min(axis=1)
        room = np.minimum(room, np.minimum(tries, sides - tries).min(axis=1))
        moved[out] = tries[room.argmax()]
        value = grow(moved, sides).sum()
        if value > best:
            centres, best = moved, value
    return centres, sides
