def construct(start=None):
    """Heights drawn by chance, then gradient ascent with a soft maximum that hardens."""
    rng = np.random.default_rng(1)
    steps = 256
    return climb(rng.random(steps) + 0.05, rounds=4000, rate=0.02, soft=30.0, hard=20000.0)


def climb(heights, rounds, rate, soft, hard):
    """Adam on the logarithm of |g|_2^2 / (|g|_1 |g|_max) for g = h * h, with a soft maximum, in the square roots of the heights."""
    steps = len(heights)
    size = 2 ** int(np.ceil(np.log2(2 * steps)))
    roots = np.sqrt(heights / heights.mean())
    mean, square = np.zeros(steps), np.zeros(steps)
    best, best_heights = 0.0, heights
    for k in range(rounds):
        done = k / rounds
        heights = roots * roots
        spectrum = np.fft.rfft(heights, size)
        corners = np.fft.irfft(spectrum * spectrum, size)[: 2 * steps - 1]
        around = 4.0 * corners
        around[1:] += corners[:-1]
        around[:-1] += corners[1:]
        peak, total, power = corners.max(), corners.sum(), 0.5 * corners @ around
        if power / (total * peak) > best:
            best, best_heights = power / (total * peak), heights
        weights = np.exp(soft * (hard / soft) ** done * (corners / peak - 1.0))
        slope = around / power - 1.0 / total - weights / (weights.sum() * peak)
        slope = np.fft.irfft(np.fft.rfft(slope, size) * np.conj(spectrum), size)[:steps] * roots * steps
        mean = 0.9 * mean + 0.1 * slope
        square = 0.999 * square + 0.001 * slope * slope
        ahead = mean / (1.0 - 0.9 ** (k + 1))
        spread = np.sqrt(square / (1.0 - 0.999 ** (k + 1))) + 1e-9
        roots = roots + rate * (1.0 - 0.99 * done) * ahead / spread
    return best_heights
