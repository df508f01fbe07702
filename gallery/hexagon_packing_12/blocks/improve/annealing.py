def improve(rows, rng):
    heat, cooling, reach, tries = 0.05, 0.98, 0.2, 150
    best, now = rows, side(rows)
    least = now
    for _ in range(tries):
        moved = rows.copy()
        moved[rng.integers(N)] += rng.normal(0, reach * (0.1 + heat / 0.05), 3)
        moved = valid(moved)
        value = side(moved)
        if value <= now or rng.random() < np.exp((now - value) / heat):
            rows, now = moved, value
        if now < least:
            best, least = rows, now
        heat *= cooling
    return best
