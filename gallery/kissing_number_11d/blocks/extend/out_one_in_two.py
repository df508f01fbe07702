def extend(vectors, rng):
    """Among vectors of the same kind as those at hand, with other signs and places: add what fits, or swap one for two."""
    tries = 1500
    longest = int((vectors**2).sum(axis=1).max())
    waiting = {}
    for _ in range(tries):
        vector = rng.permutation(vectors[rng.integers(len(vectors))]) * rng.choice([-1, 1], D)
        close = np.flatnonzero(((vectors - vector) ** 2).sum(axis=1) < longest)
        if len(close) == 0:
            vectors = np.vstack([vectors, vector])
        elif len(close) == 1:
            key = tuple(vectors[close[0]])
            for other in waiting.get(key, []):
                free = ((np.delete(vectors, close[0], axis=0) - other) ** 2).sum(axis=1).min() >= longest
                if free and ((other - vector) ** 2).sum() >= longest:
                    vectors = np.vstack([np.delete(vectors, close[0], axis=0), vector, other])
                    break
            else:
                waiting.setdefault(key, []).append(vector)
    return vectors
