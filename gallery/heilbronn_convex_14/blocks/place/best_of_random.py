def place(rng):
    return max((rng.uniform(-1, 1, (N, 2)) for _ in range(300)), key=smallest)
