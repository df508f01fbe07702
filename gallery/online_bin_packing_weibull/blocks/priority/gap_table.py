def priority(item, bins):
    gaps = [0, 1, 2, 3, 5, 8, 12, 16, 20, 25, 30, 40, 50, 60, 70, 80, 99]
    worth = [1.0, 0.9, 0.8, 0.5, 0.2, 0.1, 0.1, 0.1, 0.2, 0.3, 0.4, 0.4, 0.4, 0.3, 0.3, 0.3, 0.3]
    return np.interp(bins - item, gaps, worth)
