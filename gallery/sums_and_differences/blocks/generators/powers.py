def generators(rng):
    size, count, most, each = 6, 6, 4, 3
    return [size**k for k in range(count)], most, each
