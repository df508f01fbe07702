def improve(points, rng):
    best, least = points, ratio(points)
    points = points / np.sqrt(((points[FIRST] - points[SECOND]) ** 2).sum(axis=1).min())
    pull, push, stiffness = 0.02, 0.2, 40.0
    for _ in range(400):
        apart = points[FIRST] - points[SECOND]
        lengths = np.sqrt((apart**2).sum(axis=1))
        long = np.exp(stiffness * (lengths / lengths.max() - 1))
        short = np.maximum(1 - lengths, 0)
        force = (push * short - pull * long)[:, None] * apart / np.maximum(lengths, 1e-9)[:, None]
        np.add.at(points, FIRST, force)
        np.add.at(points, SECOND, -force)
        value = ratio(points)
        if value < least:
            best, least = points.copy(), value
    return best
