def construct(start=None):
    """A hill with noise, then gradient descent on a soft maximum that hardens."""
    rng = np.random.default_rng(1)
    steps = 100
    hill = 0.5 + 0.5 * np.cos(np.pi * np.linspace(-1.0, 1.0, steps))
    return descend(hill + 0.1 * rng.standard_normal(steps), rounds=3000, rate=0.01, soft=50.0, hard=20000.0)


def descend(heights, rounds, rate, soft, hard):
    """Adam on the logarithm of the norm of all overlaps, of an order that grows; every step goes back to valid heights."""
    steps = len(heights)
    heights = balance(heights)
    mean, square = np.zeros(steps), np.zeros(steps)
    best, best_heights = np.inf, heights
    for k in range(rounds):
        done = k / rounds
        overlaps = np.maximum(np.correlate(heights, 1.0 - heights, "full"), 1e-300)
        peak = overlaps.max()
        if peak < best:
            best, best_heights = peak, heights
        weights = (overlaps / peak) ** (soft * (hard / soft) ** done)
        weights /= weights.sum() * peak
        middle = slice(steps - 1, 2 * steps - 1)
        slope = np.convolve(weights, 1.0 - heights)[middle] - np.correlate(heights, weights, "full")[middle]
        slope = slope - slope.mean()
        mean = 0.9 * mean + 0.1 * slope
        square = 0.999 * square + 0.001 * slope * slope
        spread = np.sqrt(square / (1.0 - 0.999 ** (k + 1))) + 1e-9
        ahead = mean / (1.0 - 0.9 ** (k + 1))
        heights = balance(heights - rate * (1.0 - 0.99 * done) * ahead / spread)
    return best_heights


def balance(heights):
    """The nearest heights in [0, 1] with mean 1/2, by Newton's method on the shift."""
    shift = 0.0
    for _ in range(20):
        moved = np.clip(heights + shift, 0.0, 1.0)
        excess = moved.mean() - 0.5
        if abs(excess) < 1e-12:
            break
        inside = ((moved > 0.0) & (moved < 1.0)).mean()
        shift -= excess / max(inside, 0.05)
    return np.clip(heights + shift, 0.0, 1.0)
