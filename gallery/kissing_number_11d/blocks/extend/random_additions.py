def extend(vectors, rng):
    """Add vectors of the same length that fit, from random ones in small whole numbers, the whole set scaled up for room."""
    scale, tries = 2, 20000
    longest = int((vectors**2).sum(axis=1).max())
    if longest < 1000:
        vectors, longest = vectors * scale, longest * scale**2
    drawn = rng.normal(size=(tries, D))
    drawn = np.rint(drawn / np.linalg.norm(drawn, axis=1, keepdims=True) * np.sqrt(longest)).astype(int)
    drawn = drawn[(drawn**2).sum(axis=1) <= longest]
    for vector in drawn[drawn.any(axis=1)]:
        squares = ((vectors - vector) ** 2).sum(axis=1)
        if squares.min() >= longest:
            vectors = np.vstack([vectors, vector])
    return vectors
