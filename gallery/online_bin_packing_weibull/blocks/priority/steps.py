def priority(item, bins):
    limits = [0, 1, 2, 4, 7, 10, 14, 20, 30, 50]
    worth = [6.0, 5.0, 4.0, 2.0, 0.5, 0.0, 0.0, 0.5, 1.0, 1.0, 1.0]
    return np.array(worth)[np.searchsorted(limits, bins - item)]
