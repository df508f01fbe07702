def construct(start=None):
    """Heights drawn by chance, then gradient descent on a soft maximum that hardens."""
    rng = np.random.default_rng(1)
    steps = 300
    return descend(rng.random(steps) + 0.05, rounds=5000, rate=0.02, soft=100.0, hard=20000.0)


def descend(heights, rounds, rate, soft, hard):
    """Adam on the logarithm of softmax(h * h) / (sum h)^2, in the square roots of the heights, by fast Fourier transforms."""
    steps = len(heights)
    size = 2 ** int(np.ceil(np.log2(2 * steps)))
    roots = np.sqrt(heights / heights.mean())
    mean, square = np.zeros(steps), np.zeros(steps)
    best, best_heights = np.inf, heights
    for k in range(rounds):
        done = k / rounds
        heights = roots * roots
        spectrum = np.fft.rfft(heights, size)
        convolved = np.fft.irfft(spectrum * spectrum, size)[: 2 * steps - 1]
        peak, total = convolved.max(), heights.sum()
        if peak / total**2 < best:
            best, best_heights = peak / total**2, heights
        weights = np.exp(soft * (hard / soft) ** done * (convolved / peak - 1.0))
        weights /= weights.sum()
        pull = np.fft.irfft(np.fft.rfft(weights, size) * np.conj(spectrum), size)[:steps]
        slope = (pull / peak - 1.0 / total) * roots * steps
        mean = 0.9 * mean + 0.1 * slope
        square = 0.999 * square + 0.001 * slope * slope
        ahead = mean / (1.0 - 0.9 ** (k + 1))
        spread = np.sqrt(square / (1.0 - 0.999 ** (k + 1))) + 1e-9
        roots = roots - rate * (1.0 - 0.99 * done) * ahead / spread
    return best_heights
