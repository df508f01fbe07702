import math


def pressure(t):
    return 0.7 * math.exp(0.05 * t)
