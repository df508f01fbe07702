def priority(el, n):
    """A quadratic form on each half of the coordinates, and a worth for every pair of values that they take."""
    worth = [0.1, 0.5, 0.4, 0.6, 0.9, 0.3, 0.8, 0.2, 0.7]
    left = (el[0] * el[0] + el[1] * el[1] + el[2] * el[3]) % 3
    right = (el[4] * el[4] + el[5] * el[5] + el[6] * el[7]) % 3
    return worth[3 * left + right]
