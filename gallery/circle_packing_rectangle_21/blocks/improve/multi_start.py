def improve(centres, sides, rng):
    starts, steps, reach = 6, 30, 0.05
    best, best_total = (centres, sides), grow(centres, sides).sum()
    for k in range(starts):
        width = sides[0] if k == 0 else rng.uniform(0.7, 1.3)
        shape = np.array([width, 2 - width])
        trial = centres.copy() if k == 0 else np.clip(place(shape, rng) + rng.normal(0, 0.02, (N, 2)), 0, shape)
        value = grow(trial, shape).sum()
        for _ in range(steps):
            moved = np.clip(trial + rng.normal(0, reach, (N, 2)) * (rng.random((N, 1)) < 0.1), 0, shape)
            moved_value = grow(moved, shape).sum()
            if moved_value >= value:
                trial, value = moved, moved_value
        if value > best_total:
            best, best_total = (trial, shape), value
    return best
