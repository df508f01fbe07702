def candidates(rng):
    """Vectors of one length, each with its negative, and both in all rotations of the coordinates: 22 in a bundle."""
    length, tries = 12, 4000
    bundles = []
    for _ in range(tries):
        vector = rng.choice([-2, -1, -1, 0, 0, 0, 1, 1, 2], D)
        if (vector**2).sum() == length:
            orbit = np.unique([sign * np.roll(vector, k) for k in range(D) for sign in (1, -1)], axis=0)
            if fits(orbit, orbit, length).all():
                bundles.append(orbit)
    return bundles[:250] or [np.eye(D, dtype=int)]
