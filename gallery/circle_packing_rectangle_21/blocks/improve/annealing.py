def improve(centres, sides, rng):
    heat, cooling, reach, stretch, tries = 0.01, 0.985, 0.06, 0.02, 300
    now = best_total = grow(centres, sides).sum()
    best = centres, sides
    for _ in range(tries):
        moved, shape = centres.copy(), sides
        if rng.random() < 0.1:
            width = np.clip(sides[0] + rng.normal(0, stretch), 0.4, 1.6)
            shape = np.array([width, 2 - width])
            moved = moved * shape / sides
        i = rng.integers(N)
        moved[i] = np.clip(moved[i] + rng.normal(0, reach, 2), 0, shape)
        value = grow(moved, shape).sum()
        if value >= now or rng.random() < np.exp((value - now) / heat):
            centres, sides, now = moved, shape, value
        if now > best_total:
            best, best_total = (centres, sides), now
        heat *= cooling
    return best
