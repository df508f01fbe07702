def place(rng):
    """Two or three in the middle, the others around them."""
    inner, radius, turn = 3, 2.9, 0.3
    rows = []
    for count, distance in ((inner, 1.15), (N - inner, radius)):
        around = 2 * np.pi * np.arange(count) / count + turn
        rows += list(zip(distance * np.cos(around), distance * np.sin(around), np.full(count, turn)))
    return np.array(rows)
