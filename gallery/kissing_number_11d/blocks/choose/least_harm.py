def choose(sizes, good, rng):
    """Always the bundle that rules out the least of what is left."""
    left = np.diagonal(good).copy()
    chosen = []
    while left.any():
        harm = (~good[:, left] * sizes[left]).sum(axis=1) - sizes + 0.01 * rng.random(len(sizes))
        i = int(np.where(left, harm, np.inf).argmin())
        chosen.append(i)
        left &= good[i]
        left[i] = False
    return chosen
