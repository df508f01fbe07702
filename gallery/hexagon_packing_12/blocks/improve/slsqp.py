def improve(rows, rng):
    """Shrink the outer side while the side that now separates two hexagons goes on doing so."""
    from scipy.optimize import minimize

    def look(x):
        rows = x[:-1].reshape(N, 3)
        found = []
        for owner, other in ((FIRST, SECOND), (SECOND, FIRST)):
            normal = rows[owner, 2:] + NORMALS
            step = rows[other, :2] - rows[owner, :2]
            corner = np.cos(normal[:, :, None] - rows[other, 2][:, None, None] - SIXTH)
            found.append((np.cos(normal) * step[:, :1] + np.sin(normal) * step[:, 1:])[:, :, None] + corner - np.sqrt(0.75))
        return np.concatenate(found, axis=1)

    x = np.append(rows.ravel(), side(rows))
    pairs, chosen = np.arange(len(FIRST)), look(x).min(axis=2).argmax(axis=1)

    def free(x):
        return np.concatenate([look(x)[pairs, chosen].ravel(), x[-1] * np.sqrt(0.75) - outward(x[:-1].reshape(N, 3))])

    near = free(x) < 0.6
    solved = minimize(
        lambda x: x[-1],
        x,
        jac=lambda x: np.eye(len(x))[-1],
        method="SLSQP",
        constraints=[{"type": "ineq", "fun": lambda x: free(x)[near]}],
        options={"maxiter": 15, "ftol": 1e-9},
    )
    moved = valid(solved.x[:-1].reshape(N, 3)) if np.isfinite(solved.x).all() else rows
    return moved if side(moved) < side(rows) else rows
