def improve(centres, sides, rng):
    from scipy.optimize import minimize

    first, second = np.triu_indices(N, 1)
    pairs = np.arange(len(first))
    one, none = np.eye(N), np.zeros((N, N))
    walls = np.block([[one, none, -one], [-one, none, -one], [none, one, -one], [none, -one, -one]])
    walls = np.column_stack([walls, np.repeat([0.0, 1.0, 0.0, -1.0], N)])
    offset = np.repeat([0.0, 0.0, 0.0, 2.0], N)

    def gaps(z):
        x, y, r = z[:-1].reshape(3, N)
        return np.r_[np.hypot(x[first] - x[second], y[first] - y[second]) - r[first] - r[second], walls @ z + offset]

    def slopes(z):
        x, y, _ = z[:-1].reshape(3, N)
        apart = np.maximum(np.hypot(x[first] - x[second], y[first] - y[second]), 1e-12)
        rows = np.zeros((len(pairs), 3 * N + 1))
        for k, v in ((0, x), (N, y)):
            rows[pairs, k + first] = (v[first] - v[second]) / apart
            rows[pairs, k + second] = -rows[pairs, k + first]
        rows[pairs, 2 * N + first] = rows[pairs, 2 * N + second] = -1.0
        return np.vstack([rows, walls])

    down = np.append(np.repeat([0.0, 0.0, -1.0], N), 0.0)
    solved = minimize(
        lambda z: down @ z,
        np.r_[centres.T.ravel(), grow(centres, sides), sides[0]],
        jac=lambda z: down,
        method="SLSQP",
        bounds=[(0.0, 1.6)] * (3 * N) + [(0.4, 1.6)],
        constraints=[{"type": "ineq", "fun": gaps, "jac": slopes}],
        options={"maxiter": 40, "ftol": 1e-10},
    )
    shape = np.array([solved.x[-1], 2 - solved.x[-1]])
    moved = np.clip(solved.x[: 2 * N].reshape(2, N).T, 0.0, shape)
    return (moved, shape) if grow(moved, shape).sum() >= grow(centres, sides).sum() else (centres, sides)
