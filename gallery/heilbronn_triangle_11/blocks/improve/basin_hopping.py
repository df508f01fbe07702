def improve(points, rng):
    from scipy.optimize import linprog

    hops, descent, shake = 5, 12, 0.1
    rows = np.arange(len(A))

    def descend(z):
        reach = 0.05
        for _ in range(descent):
            u, v = z.T
            areas = (u[B] - u[A]) * (v[C] - v[A]) - (u[C] - u[A]) * (v[B] - v[A])
            turn = np.where(areas >= 0, 1.0, -1.0)
            table = np.zeros((len(A) + N, 2 * N + 1))
            for i, j, k in ((A, B, C), (B, C, A), (C, A, B)):
                table[rows, i] = -turn * (v[j] - v[k])
                table[rows, N + i] = -turn * (u[k] - u[j])
            table[: len(A), -1] = 1.0
            table[len(A) :, :-1] = np.hstack([np.eye(N), np.eye(N)])
            limits = np.r_[np.abs(areas), 1 - u - v]
            bounds = [(max(-reach, -x), reach) for x in np.r_[u, v]] + [(0, 1)]
            solved = linprog(-np.eye(2 * N + 1)[-1], A_ub=table, b_ub=limits, bounds=bounds, method="highs-ds")
            if solved.status != 0:
                break
            moved = inside(z + solved.x[:-1].reshape(2, N).T)
            if smallest(moved) > smallest(z):
                z = moved
            else:
                reach *= 0.4
        return z

    best = descend(points)
    for _ in range(hops):
        moved = inside(best + rng.normal(0, shake, (N, 2)) * (rng.random((N, 1)) < 0.3))
        trial = descend(moved)
        if smallest(trial) > smallest(best):
            best = trial
    return best
