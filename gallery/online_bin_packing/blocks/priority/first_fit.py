def priority(item, bins, crowd):
    return np.where(bins < 150, 1.0, 0.0)
