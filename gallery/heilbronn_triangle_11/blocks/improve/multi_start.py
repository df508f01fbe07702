def improve(points, rng):
    starts, steps, reach = 8, 150, 0.15
    best, most = points, smallest(points)
    for k in range(starts):
        trial = points if k == 0 else place(rng)
        value = smallest(trial)
        for step in range(steps):
            moved = inside(trial + rng.normal(0, reach * (1 - step / steps), (N, 2)) * (rng.random((N, 1)) < 0.15))
            if smallest(moved) >= value:
                trial, value = moved, smallest(moved)
        if value > most:
            best, most = trial, value
    return best
