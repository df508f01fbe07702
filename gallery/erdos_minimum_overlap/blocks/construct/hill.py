def construct(start=None):
    """One smooth hill, as wide as the mean asks for."""
    steps = 100
    places = np.linspace(-1.0, 1.0, steps)
    return balance(0.5 + 0.6 * np.cos(np.pi * places))


def balance(heights):
    """The nearest heights in [0, 1] with mean 1/2, by bisection on the shift."""
    low, high = -heights.max() - 1.0, 2.0 - heights.min()
    for _ in range(60):
        shift = (low + high) / 2.0
        if np.clip(heights + shift, 0.0, 1.0).mean() < 0.5:
            low = shift
        else:
            high = shift
    return np.clip(heights + high, 0.0, 1.0)
