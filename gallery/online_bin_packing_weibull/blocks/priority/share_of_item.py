def priority(item, bins):
    gap = bins - item
    limit = 2.0 + 0.03 * item
    wide = 0.2 + 0.005 * np.abs(gap - 35.0)
    return np.where(gap <= limit, 2.0 - 0.1 * gap, 1.0 - wide)
