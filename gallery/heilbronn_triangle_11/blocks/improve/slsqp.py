def improve(points, rng):
    from scipy.optimize import minimize

    rows = np.arange(len(A))

    def gaps(z):
        (u, v), t = z[:-1].reshape(2, N), z[-1]
        areas = (u[B] - u[A]) * (v[C] - v[A]) - (u[C] - u[A]) * (v[B] - v[A])
        return np.r_[turn * areas - t, 1 - u - v]

    def slopes(z):
        u, v = z[:-1].reshape(2, N)
        table = np.zeros((len(A) + N, 2 * N + 1))
        for i, j, k in ((A, B, C), (B, C, A), (C, A, B)):
            table[rows, i] = turn * (v[j] - v[k])
            table[rows, N + i] = turn * (u[k] - u[j])
        table[: len(A), -1] = -1.0
        table[len(A) :, :-1] = -np.hstack([np.eye(N), np.eye(N)])
        return table

    turn = 1.0
    z = np.append(points.T.ravel(), 0.0)
    turn = np.where(gaps(z)[: len(A)] >= 0, 1.0, -1.0)
    solved = minimize(
        lambda z: -z[-1],
        z,
        jac=lambda z: -np.eye(len(z))[-1],
        method="SLSQP",
        bounds=[(0.0, 1.0)] * (2 * N + 1),
        constraints=[{"type": "ineq", "fun": gaps, "jac": slopes}],
        options={"maxiter": 50, "ftol": 1e-12},
    )
    moved = inside(solved.x[:-1].reshape(2, N).T)
    return moved if smallest(moved) > smallest(points) else points
