def candidates(rng):
    """Four coordinates that are 1 or -1, an even number of minus signs in one bundle and an odd number in another."""
    bundles = [np.vstack([2 * np.eye(D, dtype=int), -2 * np.eye(D, dtype=int)])]
    for places in itertools.combinations(range(D), 4):
        vector = np.zeros(D, dtype=int)
        vector[list(places)] = 1
        every = signed(vector)
        bundles += [every[every.prod(axis=1, where=every != 0) == sign] for sign in (1, -1)]
    return bundles
