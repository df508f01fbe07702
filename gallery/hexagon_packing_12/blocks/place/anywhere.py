def place(rng):
    tries, reach = 20, 3.0
    draws = [np.column_stack([rng.uniform(-reach, reach, (N, 2)), rng.uniform(0, np.pi / 3, N)]) for _ in range(tries)]
    return min(draws, key=lambda rows: side(valid(rows)))
