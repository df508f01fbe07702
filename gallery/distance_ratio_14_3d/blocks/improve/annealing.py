def improve(points, rng):
    heat, cooling, reach, tries = 0.3, 0.997, 0.08, 1500
    now = least = ratio(points)
    best = points
    for _ in range(tries):
        moved = points.copy()
        moved[rng.integers(N)] += rng.normal(0, reach * (0.1 + heat), DIMENSION)
        value = ratio(moved)
        if value <= now or rng.random() < np.exp((now - value) / heat):
            points, now = moved, value
        if now < least:
            best, least = points, now
        heat *= cooling
    return best
