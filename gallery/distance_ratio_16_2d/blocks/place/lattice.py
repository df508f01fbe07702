def place(rng):
    ticks = np.arange(-3, 4)
    cells = np.stack(np.meshgrid(*[ticks] * DIMENSION), axis=-1).reshape(-1, DIMENSION).astype(float)
    basis = np.array([[1.0, 0.0, 0.0], [0.5, 0.75**0.5, 0.0], [0.5, 12**-0.5, (2 / 3) ** 0.5]])[:DIMENSION, :DIMENSION]
    points = cells @ basis
    middle = rng.random(DIMENSION) @ basis
    return points[np.argsort(((points - middle) ** 2).sum(axis=1), kind="stable")[:N]]
