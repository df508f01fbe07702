def place(rng):
    points = rng.uniform(-1, 1, (2, 2))
    while len(points) < N:
        tries = rng.uniform(-1, 1, (300, 2))
        first, second = np.triu_indices(len(points), 1)
        p, side = points[first], points[second] - points[first]
        areas = side[:, 0] * (tries[:, 1:] - p[:, 1]) - side[:, 1] * (tries[:, :1] - p[:, 0])
        points = np.vstack([points, tries[np.abs(areas).min(axis=1).argmax()]])
    return points
