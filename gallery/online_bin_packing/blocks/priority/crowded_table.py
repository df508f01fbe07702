def priority(item, bins, crowd):
    gaps = [0, 3, 8, 19, 20, 30, 40, 50, 60, 70, 80, 100, 130]
    worth = [1.0, 0.9, 0.4, 0.1, 0.3, 0.3, 0.3, 0.3, 0.3, 0.3, 0.3, 0.3, 0.3]
    wide = [20, 35, 50, 65, 80, 100, 130]
    each_more = [-0.01, -0.01, -0.01, -0.01, -0.01, -0.01, -0.01]
    gap = bins - item
    return np.interp(gap, gaps, worth) + crowd * np.interp(gap, wide, each_more)
