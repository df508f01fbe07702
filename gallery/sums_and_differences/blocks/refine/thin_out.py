def refine(elements, rng):
    """Drop from the top what costs more in range than it brings."""
    best, kept = theta(elements), elements
    for count in range(len(elements) - 1, max(len(elements) // 2, 2), -max(1, len(elements) // 40)):
        value = theta(elements[:count])
        if value > best:
            best, kept = value, elements[:count]
    return kept
