def priority(item, bins, crowd):
    gaps = [0, 3, 8, 19, 20, 25, 30, 40, 50, 60, 70, 80, 90, 100, 130]
    worth = [1.0, 0.9, 0.4, 0.1, 0.3, 0.3, 0.3, 0.3, 0.3, 0.3, 0.3, 0.3, 0.3, 0.3, 0.3]
    return np.interp(bins - item, gaps, worth)
