def improve(centres, rng):
    from scipy.optimize import minimize

    first, second = np.triu_indices(N, 1)
    pairs = np.arange(len(first))
    walls = np.block([[np.eye(N), np.zeros((N, N)), -np.eye(N)], [-np.eye(N), np.zeros((N, N)), -np.eye(N)]])
    walls = np.vstack([walls, walls[:, np.r_[N : 2 * N, 0:N, 2 * N : 3 * N]]])
    offset = np.repeat([0.0, 1.0, 0.0, 1.0], N)

    def gaps(z):
        x, y, r = z.reshape(3, N)
        return np.r_[np.hypot(x[first] - x[second], y[first] - y[second]) - r[first] - r[second], walls @ z + offset]

    def slopes(z):
        x, y, r = z.reshape(3, N)
        apart = np.maximum(np.hypot(x[first] - x[second], y[first] - y[second]), 1e-12)
        rows = np.zeros((len(pairs), 3 * N))
        for k, v in ((0, x), (N, y)):
            rows[pairs, k + first] = (v[first] - v[second]) / apart
            rows[pairs, k + second] = -rows[pairs, k + first]
        rows[pairs, 2 * N + first] = rows[pairs, 2 * N + second] = -1.0
        return np.vstack([rows, walls])

    down = np.repeat([0.0, 0.0, -1.0], N)
    solved = minimize(
        lambda z: down @ z,
        np.r_[centres.T.ravel(), grow(centres)],
        jac=lambda z: down,
        method="SLSQP",
        bounds=[(0.0, 1.0)] * (3 * N),
        constraints=[{"type": "ineq", "fun": gaps, "jac": slopes}],
        options={"maxiter": 40, "ftol": 1e-10},
    )
    moved = np.clip(solved.x[: 2 * N].reshape(2, N).T, 0.0, 1.0)
    return moved if grow(moved).sum() >= grow(centres).sum() else centres
