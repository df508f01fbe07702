def improve(centres, rng):
    heat, cooling, reach, tries = 0.01, 0.985, 0.06, 300
    now = best_total = grow(centres).sum()
    best = centres
    for _ in range(tries):
        moved = centres.copy()
        i = rng.integers(N)
        moved[i] = np.clip(moved[i] + rng.normal(0, reach, 2), 0, 1)
        total = grow(moved).sum()
        if total >= now or rng.random() < np.exp((total - now) / heat):
            centres, now = moved, total
        if now > best_total:
            best, best_total = centres, now
        heat *= cooling
    return best
