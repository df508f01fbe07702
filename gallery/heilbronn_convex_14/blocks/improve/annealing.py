def improve(points, rng):
    heat, cooling, reach, tries = 0.005, 0.997, 0.3, 1500
    now = most = smallest(points)
    best = points
    for _ in range(tries):
        moved = points.copy()
        moved[rng.integers(N)] += rng.normal(0, reach * (0.05 + heat / 0.005), 2)
        value = smallest(moved)
        if value >= now or rng.random() < np.exp((value - now) / heat):
            points, now = moved, value
        if now > most:
            best, most = points, now
        heat *= cooling
    return best
