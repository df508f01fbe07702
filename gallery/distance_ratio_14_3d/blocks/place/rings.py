def place(rng):
    points = [np.zeros(DIMENSION)]
    for count, radius in ((5, 0.28), (N - 6, 0.5)):
        if DIMENSION == 2:
            angles = 2 * np.pi * np.arange(count) / count
            points += list(radius * np.column_stack([np.cos(angles), np.sin(angles)]))
        else:
            heights = (2 * np.arange(count) + 1) / count - 1
            turns = np.pi * (1 + 5**0.5) * np.arange(count)
            rims = np.sqrt(1 - heights**2)
            points += list(radius * np.column_stack([rims * np.cos(turns), rims * np.sin(turns), heights]))
    return np.array(points)
