def generators(rng):
    return [1, 6, 32, 144, 529], 3, 3
