def place(rng):
    tries = []
    for _ in range(200):
        points = rng.normal(size=(N, DIMENSION))
        points /= np.maximum(1.0, np.sqrt((points**2).sum(axis=1, keepdims=True)))
        tries.append(points)
    return min(tries, key=ratio)
