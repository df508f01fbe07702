def improve(points, rng):
    sweeps, tries, shortlist = 4, 400, 12
    points = points.copy()
    first, second = np.triu_indices(N - 1, 1)
    for _ in range(sweeps):
        for i in rng.permutation(N):
            others = np.delete(points, i, axis=0)
            low, high = others.min(axis=0), others.max(axis=0)
            places = np.vstack([low + (high - low) * rng.uniform(-0.1, 1.1, (tries, 2)), points[i]])
            p, side = others[first], others[second] - others[first]
            areas = side[:, 0] * (places[:, 1:] - p[:, 1]) - side[:, 1] * (places[:, :1] - p[:, 0])
            good = np.r_[np.argsort(-np.abs(areas).min(axis=1), kind="stable")[:shortlist], tries]
            points[i] = max(places[good], key=lambda place: smallest(np.insert(others, i, place, axis=0)))
    return points
