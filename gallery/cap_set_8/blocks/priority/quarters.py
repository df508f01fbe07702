def priority(el, n):
    """Which of the four pairs of coordinates are 00, have one 0, have none: a worth for each case and place."""
    worth = [0.9, 0.4, 0.7, 0.3, 0.8, 0.6, 0.7, 0.5, 0.2, 0.6, 0.4, 0.8]
    score = 0.0
    for pair in range(4):
        zeros = (el[2 * pair] == 0) + (el[2 * pair + 1] == 0)
        score += worth[3 * pair + zeros]
    return score
