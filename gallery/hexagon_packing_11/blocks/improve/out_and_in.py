def improve(rows, rng):
    """Take the hexagon that lies farthest out and put it somewhere else, with a shake of all."""
    tries, shake = 120, 0.03
    best = side(rows)
    for _ in range(tries):
        moved = rows + rng.normal(0, shake, (N, 3))
        out = int(np.argmax(np.hypot(rows[:, 0], rows[:, 1]) + 0.3 * rng.random(N)))
        moved[out] = np.append(rng.uniform(-3, 3, 2), rng.uniform(0, np.pi / 3))
        moved = valid(moved)
        if side(moved) < best:
            rows, best = moved, side(moved)
    return rows
