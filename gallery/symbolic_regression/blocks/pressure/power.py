def pressure(t):
    return 0.6 * (1.0 + 0.01 * t) ** 7.5
