def candidates(rng):
    """Four coordinates that are 1 or -1, all signs in one bundle; and twice each unit vector."""
    bundles = [np.vstack([2 * np.eye(D, dtype=int), -2 * np.eye(D, dtype=int)])]
    for places in itertools.combinations(range(D), 4):
        vector = np.zeros(D, dtype=int)
        vector[list(places)] = 1
        bundles.append(signed(vector))
    return bundles
