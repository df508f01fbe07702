def improve(points, rng):
    starts, steps, reach = 8, 150, 0.3
    best, most = points, smallest(points)
    for k in range(starts):
        trial = points if k == 0 else place(rng)
        value = smallest(trial)
        for step in range(steps):
            moved = trial + rng.normal(0, reach * (1 - step / steps), (N, 2)) * (rng.random((N, 1)) < 0.15)
            moved_value = smallest(moved)
            if moved_value >= value:
                trial, value = moved, moved_value
        if value > most:
            best, most = trial, value
    return best
