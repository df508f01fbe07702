import math


def pressure(t):
    return 0.6 * math.exp(0.07 * t - 0.0002 * t * t)
