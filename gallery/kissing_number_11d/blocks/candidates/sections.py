def candidates(rng):
    """Single vectors of the squared length 4: all of the form (1, 1, 1, 1) on some places, and (2)."""
    vectors = [*(2 * np.eye(D, dtype=int)), *(-2 * np.eye(D, dtype=int))]
    supports = [list(places) for places in itertools.combinations(range(D), 4)]
    for number in rng.permutation(len(supports))[:100]:
        vector = np.zeros(D, dtype=int)
        vector[supports[number]] = 1
        vectors.extend(signed(vector))
    return [vector[None] for vector in vectors]
