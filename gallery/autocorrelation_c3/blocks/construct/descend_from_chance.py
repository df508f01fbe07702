def construct(start=None):
    """Heights drawn by chance, some of them negative, then gradient descent on a soft maximum that hardens."""
    rng = np.random.default_rng(1)
    steps = 150
    return descend(1.0 + rng.standard_normal(steps), rounds=5000, rate=0.1, soft=30.0, hard=20000.0)


def descend(heights, rounds, rate, soft, hard):
    """Adam on the logarithm of the norm of |h * h|, of an order that grows, over (sum h)^2, by fast Fourier transforms."""
    steps = len(heights)
    size = 2 ** int(np.ceil(np.log2(2 * steps)))
    heights = heights / heights.mean()
    mean, square = np.zeros(steps), np.zeros(steps)
    best, best_heights = np.inf, heights
    for k in range(rounds):
        done = k / rounds
        spectrum = np.fft.rfft(heights, size)
        corners = np.fft.irfft(spectrum * spectrum, size)[: 2 * steps - 1]
        peak, total = np.abs(corners).max(), heights.sum()
        if peak / total**2 < best:
            best, best_heights = peak / total**2, heights
        weights = np.exp(soft * (hard / soft) ** done * (np.abs(corners) / peak - 1.0))
        weights *= np.sign(corners) / weights.sum()
        pull = np.fft.irfft(np.fft.rfft(weights, size) * np.conj(spectrum), size)[:steps]
        slope = (pull / peak - 1.0 / total) * steps
        mean = 0.9 * mean + 0.1 * slope
        square = 0.999 * square + 0.001 * slope * slope
        ahead = mean / (1.0 - 0.9 ** (k + 1))
        spread = np.sqrt(square / (1.0 - 0.999 ** (k + 1))) + 1e-9
        heights = heights - rate * (1.0 - 0.999 * done) * ahead / spread
    return best_heights
