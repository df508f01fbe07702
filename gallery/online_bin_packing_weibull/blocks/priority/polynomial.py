def priority(item, bins):
    gap = (bins - item) / 100.0
    size = item / 100.0
    return 1.0 - 4.0 * gap + 5.0 * gap**2 + 0.3 * gap**3 - 0.5 * gap * size + 0.5 * size * bins / 100.0
