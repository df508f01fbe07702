def priority(item, bins, crowd):
    gap = (bins - item) / 150.0
    return 1.0 - 2.0 * gap + 0.5 * gap**2 + 0.3 * gap**3 - 0.1 * gap * item / 150.0
