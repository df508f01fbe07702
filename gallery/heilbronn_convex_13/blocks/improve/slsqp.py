def improve(points, rng):
    from scipy.optimize import minimize
    from scipy.spatial import ConvexHull, QhullError

    rows = np.arange(len(I))
    try:
        corners = ConvexHull(points).vertices
    except QhullError:
        return points
    after, before = np.roll(corners, -1), np.roll(corners, 1)

    def doubled(z):
        u, v = z[:-1].reshape(2, N)
        areas = (u[J] - u[I]) * (v[K] - v[I]) - (u[K] - u[I]) * (v[J] - v[I])
        return areas, u[corners] @ v[after] - v[corners] @ u[after]

    def gaps(z):
        areas, whole = doubled(z)
        return np.r_[turn * areas - z[-1], 1.0 - whole]

    def slopes(z):
        u, v = z[:-1].reshape(2, N)
        table = np.zeros((len(I) + 1, 2 * N + 1))
        for i, j, k in ((I, J, K), (J, K, I), (K, I, J)):
            table[rows, i] = turn * (v[j] - v[k])
            table[rows, N + i] = turn * (u[k] - u[j])
        table[:-1, -1] = -1.0
        table[-1, corners] = v[before] - v[after]
        table[-1, N + corners] = u[after] - u[before]
        return table

    z = np.append(points.T.ravel(), 0.0)
    areas, whole = doubled(z)
    turn = np.where(areas >= 0, 1.0, -1.0)
    solved = minimize(
        lambda z: -z[-1],
        z / np.sqrt(whole),
        jac=lambda z: -np.eye(len(z))[-1],
        method="SLSQP",
        constraints=[{"type": "ineq", "fun": gaps, "jac": slopes}],
        options={"maxiter": 50, "ftol": 1e-12},
    )
    moved = solved.x[:-1].reshape(2, N).T
    return moved if np.isfinite(moved).all() and smallest(moved) > smallest(points) else points
