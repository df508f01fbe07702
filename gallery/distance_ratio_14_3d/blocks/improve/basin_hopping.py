def improve(points, rng):
    from scipy.optimize import linprog

    hops, descent, shake = 6, 12, 0.3
    pairs = np.arange(len(FIRST))

    def descend(z):
        z = z / np.sqrt(((z[FIRST] - z[SECOND]) ** 2).sum(axis=1).min())
        reach = 0.3
        for _ in range(descent):
            apart = 2 * (z[FIRST] - z[SECOND])
            squares = (apart**2).sum(axis=1) / 4
            rows = np.zeros((2 * len(pairs), N * DIMENSION + 1))
            for axis in range(DIMENSION):
                rows[pairs, FIRST * DIMENSION + axis] = -apart[:, axis]
                rows[pairs, SECOND * DIMENSION + axis] = apart[:, axis]
            rows[len(pairs) :] = -rows[: len(pairs)]
            rows[len(pairs) :, -1] = -1.0
            limits = np.r_[squares - squares.min(), -squares]
            bounds = [(-reach, reach)] * (N * DIMENSION) + [(0, None)]
            solved = linprog(np.eye(N * DIMENSION + 1)[-1], A_ub=rows, b_ub=limits, bounds=bounds, method="highs-ds")
            if solved.status != 0:
                break
            moved = z + solved.x[:-1].reshape(N, DIMENSION)
            if ratio(moved) < ratio(z):
                z = moved
            else:
                reach *= 0.4
        return z

    best = descend(points)
    for _ in range(hops):
        moved = best.copy()
        near = np.argsort(((moved - moved[rng.integers(N)]) ** 2).sum(axis=1))[: rng.integers(1, 6)]
        moved[near] += rng.normal(0, shake, (len(near), DIMENSION))
        trial = descend(moved)
        if ratio(trial) < ratio(best):
            best = trial
    return best
