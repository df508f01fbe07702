def improve(points, rng):
    starts, steps, reach = 8, 150, 0.1
    best, least = points, ratio(points)
    for k in range(starts):
        trial = points if k == 0 else place(rng)
        trial = trial / np.ptp(trial)
        value = ratio(trial)
        for step in range(steps):
            moved = trial + rng.normal(0, reach * (1 - step / steps), trial.shape) * (rng.random((N, 1)) < 0.15)
            if ratio(moved) <= value:
                trial, value = moved, ratio(moved)
        if value < least:
            best, least = trial, value
    return best
