def improve(centres, rng):
    from scipy.optimize import linprog

    hops, descent, shake, reach = 5, 7, 0.06, 0.1
    first, second = np.triu_indices(N, 1)
    cost = np.repeat([0.0, 0.0, -1.0], N)

    def descend(middle):
        total = 0.0
        for _ in range(descent):
            x, y = middle.T
            dx, dy = x[first] - x[second], y[first] - y[second]
            apart = np.maximum(np.hypot(dx, dy), 1e-12)
            near = apart < 0.7
            rows = np.zeros((int(near.sum()) + 4 * N, 3 * N))
            k = np.arange(int(near.sum()))
            for offset, slope in ((0, dx / apart), (N, dy / apart)):
                rows[k, offset + first[near]] = -slope[near]
                rows[k, offset + second[near]] = slope[near]
            rows[k, 2 * N + first[near]] = rows[k, 2 * N + second[near]] = 1.0
            i = np.arange(N)
            for wall, (offset, sign) in enumerate(((0, -1.0), (0, 1.0), (N, -1.0), (N, 1.0))):
                rows[len(k) + wall * N + i, offset + i] = sign
                rows[len(k) + wall * N + i, 2 * N + i] = 1.0
            limits = np.r_[apart[near], x, 1 - x, y, 1 - y]
            bounds = np.r_[np.full((2 * N, 2), (-reach, reach)), np.full((N, 2), (0.0, 0.5))]
            solved = linprog(cost, A_ub=rows, b_ub=limits, bounds=bounds, method="highs-ds")
            if solved.status != 0 or -solved.fun < total + 1e-10:
                break
            total = -solved.fun
            middle = np.clip(middle + solved.x[: 2 * N].reshape(2, N).T, 0.0, 1.0)
        return middle, total

    best, best_total = descend(centres)
    for _ in range(hops):
        near = np.argsort(np.hypot(*(best - rng.random(2)).T))[: rng.integers(2, 9)]
        shaken = best.copy()
        shaken[near] = np.clip(shaken[near] + rng.normal(0, shake, (len(near), 2)), 0, 1)
        trial, total = descend(shaken)
        if total > best_total:
            best, best_total = trial, total
    return best
