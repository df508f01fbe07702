def place(sides, rng):
    centres = rng.random((1, 2)) * sides
    while len(centres) < N:
        tries = rng.random((80, 2)) * sides
        near = np.hypot(*(tries[:, None] - centres).transpose(2, 0, 1)).min(axis=1)
        room = np.minimum(near, 2 * np.minimum(tries, sides - tries).min(axis=1))
        centres = np.vstack([centres, tries[room.argmax()]])
    return centres
