def improve(centres, rng):
    starts, steps, reach = 6, 30, 0.05
    best, best_total = centres, grow(centres).sum()
    for k in range(starts):
        trial = centres.copy() if k == 0 else np.clip(place(rng) + rng.normal(0, 0.02, (N, 2)), 0, 1)
        total = grow(trial).sum()
        for _ in range(steps):
            moved = np.clip(trial + rng.normal(0, reach, (N, 2)) * (rng.random((N, 1)) < 0.1), 0, 1)
            value = grow(moved).sum()
            if value >= total:
                trial, total = moved, value
        if total > best_total:
            best, best_total = trial, total
    return best
