def improve(points, rng):
    sweeps, tries = 6, 400
    points = points.copy()
    first, second = np.triu_indices(N - 1, 1)
    for _ in range(sweeps):
        for i in rng.permutation(N):
            others = np.delete(points, i, axis=0)
            places = np.vstack([inside(rng.random((tries, 2))), points[i]])
            p, side = others[first], others[second] - others[first]
            areas = side[:, 0] * (places[:, 1:] - p[:, 1]) - side[:, 1] * (places[:, :1] - p[:, 0])
            points[i] = places[np.abs(areas).min(axis=1).argmax()]
    return points
