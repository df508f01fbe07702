def place(sides, rng):
    rows = [5, 4, 5, 4, 3]
    centres = []
    for k, count in enumerate(rows):
        y = (k + 0.5) / len(rows)
        centres += [((i + 0.5) / count, y) for i in range(count)]
    return np.array(centres)[:N] * sides
