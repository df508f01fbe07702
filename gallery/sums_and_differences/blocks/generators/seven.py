def generators(rng):
    return [1, 5, 24, 110, 500, 2250, 9000], 5, 3
