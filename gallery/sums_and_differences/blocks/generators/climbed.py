def generators(rng):
    """Start from powers, change one generator at a time, keep what does not lose."""
    size, count, most, each, tries, reach = 5.5, 6, 4, 3, 150, 0.2
    chosen = [round(size**k) for k in range(count)]
    best = theta(sums_of(chosen, most, each))
    for _ in range(tries):
        other = list(chosen)
        i = int(rng.integers(1, count))
        other[i] = max(1, round(other[i] * np.exp(rng.normal(0, reach * rng.random())) + rng.integers(-2, 3)))
        value = theta(sums_of(other, most, each))
        if value >= best:
            chosen, best = other, value
    return chosen, most, each
