def place(rng):
    """The cells of a honeycomb, those nearest to a point."""
    cells = [(1.5 * i, np.sqrt(3) * (j + i / 2), 0.0) for i in range(-4, 5) for j in range(-4, 5)]
    middle = rng.uniform(-1.0, 1.0, 2)
    return np.array(sorted(cells, key=lambda cell: np.hypot(cell[0] - middle[0], cell[1] - middle[1]))[:N])
