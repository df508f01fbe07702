def priority(el, n):
    """Numbers that look random, the same for vectors that differ in signs alone."""
    support = sum(2**i for i in range(n) if el[i])
    nonzero = n - el.count(0)
    return math.sin(12.9898 * support + 7.0) * 43758.5453 % 1.0 + 0.4 * min(nonzero, 5)


import math
