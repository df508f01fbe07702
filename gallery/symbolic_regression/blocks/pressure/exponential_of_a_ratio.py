import math


def pressure(t):
    return 0.6 * math.exp(15.0 * t / (t + 200.0))
