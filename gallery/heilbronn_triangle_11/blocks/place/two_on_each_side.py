def place(rng):
    a, b = 0.2, 0.7
    sides = [(a, 0), (b, 0), (0, a), (0, b), (a, 1 - a), (b, 1 - b)]
    tries = [np.vstack([sides, inside(rng.random((N - 6, 2)))]) for _ in range(200)]
    return max((inside(points + rng.normal(0, 0.03, (N, 2))) for points in tries), key=smallest)
