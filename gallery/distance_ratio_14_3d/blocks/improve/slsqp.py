def improve(points, rng):
    from scipy.optimize import minimize

    pairs = np.arange(len(FIRST))
    points = points / np.sqrt(((points[FIRST] - points[SECOND]) ** 2).sum(axis=1).min())

    def gaps(z):
        squares = ((z[:-1].reshape(N, -1)[FIRST] - z[:-1].reshape(N, -1)[SECOND]) ** 2).sum(axis=1)
        return np.r_[squares - 1, z[-1] - squares]

    def slopes(z):
        apart = 2 * (z[:-1].reshape(N, -1)[FIRST] - z[:-1].reshape(N, -1)[SECOND])
        rows = np.zeros((2 * len(pairs), len(z)))
        for axis in range(DIMENSION):
            rows[pairs, FIRST * DIMENSION + axis] = apart[:, axis]
            rows[pairs, SECOND * DIMENSION + axis] = -apart[:, axis]
        rows[len(pairs) :] = -rows[: len(pairs)]
        rows[len(pairs) :, -1] = 1.0
        return rows

    solved = minimize(
        lambda z: z[-1],
        np.append(points.ravel(), ratio(points)),
        jac=lambda z: np.eye(len(z))[-1],
        method="SLSQP",
        constraints=[{"type": "ineq", "fun": gaps, "jac": slopes}],
        options={"maxiter": 60, "ftol": 1e-12},
    )
    moved = solved.x[:-1].reshape(N, -1)
    return moved if ratio(moved) < ratio(points) else points
