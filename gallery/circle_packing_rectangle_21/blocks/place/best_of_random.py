def place(sides, rng):
    draws = [rng.random((N, 2)) * sides for _ in range(40)]
    return max(draws, key=lambda centres: grow(centres, sides).sum())
