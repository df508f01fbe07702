def place(sides, rng):
    centres = [(0.5, 0.5)]
    for count, radius, turn in ((6, 0.22, 0.2), (14, 0.43, 0.1)):
        angles = 2 * np.pi * (np.arange(count) + turn) / count
        centres += list(zip(0.5 + radius * np.cos(angles), 0.5 + radius * np.sin(angles)))
    return np.array(centres)[:N] * sides
