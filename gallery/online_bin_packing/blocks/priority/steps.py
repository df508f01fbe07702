def priority(item, bins, crowd):
    limits = [2, 4, 6, 8, 10, 13, 16, 19, 40, 70, 100]
    worth = [5.0, 4.0, 3.0, 2.0, 1.0, 0.9, 0.9, 0.9, 1.0, 1.0, 1.0, 1.0]
    return np.array(worth)[np.searchsorted(limits, bins - item)]
