def place(rng):
    draws = [rng.random((N, 2)) for _ in range(40)]
    return max(draws, key=lambda centres: grow(centres).sum())
