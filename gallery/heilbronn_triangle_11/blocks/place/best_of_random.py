def place(rng):
    return max((inside(rng.random((N, 2))) for _ in range(300)), key=smallest)
