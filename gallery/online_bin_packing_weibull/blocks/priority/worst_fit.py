def priority(item, bins):
    return np.where(bins < 100, bins, 0.0)
