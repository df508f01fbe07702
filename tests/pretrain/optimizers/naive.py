"""The papers' formulas, written with loops over Python's own numbers: slow, and plainly what they say."""

import math

import torch


def divisor(side: int, chunk: int) -> int:
    return max(d for d in range(1, chunk + 1) if side % d == 0)


def cosine(n: int, frequency: int, place: int) -> float:
    scale = math.sqrt(1 / n) if frequency == 0 else math.sqrt(2 / n)
    return scale * math.cos(math.pi * (place + 0.5) * frequency / n)


def blocks(height: int, width: int, chunk: int):
    """Give the places (row, column) of each block, in the order of its rows."""
    h, w = divisor(height, chunk), divisor(width, chunk)
    for top in range(0, height, h):
        for left in range(0, width, w):
            yield h, w, top, left


def dct(matrix, chunk: int):
    """Give one list of coefficients for each block."""
    rows = []
    for h, w, top, left in blocks(len(matrix), len(matrix[0]), chunk):
        rows.append(
            [
                sum(matrix[top + y][left + x] * cosine(h, i, y) * cosine(w, j, x) for y in range(h) for x in range(w))
                for i in range(h)
                for j in range(w)
            ]
        )
    return rows


def inverse_dct(rows, height: int, width: int, chunk: int):
    matrix = [[0.0] * width for _ in range(height)]
    for row, (h, w, top, left) in zip(rows, blocks(height, width, chunk), strict=True):
        for y in range(h):
            for x in range(w):
                matrix[top + y][left + x] = sum(
                    row[i * w + j] * cosine(h, i, y) * cosine(w, j, x) for i in range(h) for j in range(w)
                )
    return matrix


def top(row, k: int):
    """Give the k largest by magnitude, as {place: value}."""
    places = sorted(range(len(row)), key=lambda place: -abs(row[place]))[:k]
    return {place: row[place] for place in places}


def spread(chosen, width: int):
    return [[row.get(place, 0.0) for place in range(width)] for row in chosen]


def sign(value: float) -> float:
    return (value > 0) - (value < 0)


def elementwise(function, *matrices):
    return [[function(*values) for values in zip(*rows, strict=True)] for rows in zip(*matrices, strict=True)]


def mixed(a: float, x, b: float, y):
    """Give a x + b y."""
    return elementwise(lambda x, y: a * x + b * y, x, y)


def transposed(x):
    return [list(column) for column in zip(*x, strict=True)]


def product(x, y):
    return [[sum(a * b for a, b in zip(row, column, strict=True)) for column in transposed(y)] for row in x]


class Muon:
    """Momentum of one matrix that is at least as wide as high."""

    def __init__(self, height: int, width: int, mu: float) -> None:
        self.m, self.mu = [[0.0] * width for _ in range(height)], mu

    def step(self, p, g, lr: float, weight_decay: float):
        self.m = mixed(self.mu, self.m, 1, g)
        x = mixed(1, g, self.mu, self.m)
        length = math.sqrt(sum(value * value for row in x for value in row))
        x = elementwise(lambda value: value / length, x)
        for _ in range(5):
            gram = product(x, transposed(x))
            x = mixed(3.4445, x, 1, product(mixed(-4.7750, gram, 2.0315, product(gram, gram)), x))
        return mixed(1 - lr * weight_decay, p, -lr * 0.2 * math.sqrt(len(x[0])), x)


class Adam:
    """Moments of one matrix."""

    def __init__(self, height: int, width: int, beta1: float, beta2: float, epsilon: float) -> None:
        self.m = [[0.0] * width for _ in range(height)]
        self.v = [[0.0] * width for _ in range(height)]
        self.beta1, self.beta2, self.epsilon, self.t = beta1, beta2, epsilon, 0

    def step(self, p, g, lr: float, weight_decay: float):
        self.t += 1
        self.m = elementwise(lambda m, g: self.beta1 * m + (1 - self.beta1) * g, self.m, g)
        self.v = elementwise(lambda v, g: self.beta2 * v + (1 - self.beta2) * g * g, self.v, g)

        def moved(p, m, v):
            m, v = m / (1 - self.beta1**self.t), v / (1 - self.beta2**self.t)
            return p - lr * weight_decay * p - lr * m / (math.sqrt(v) + self.epsilon)

        return elementwise(moved, p, self.m, self.v)


def clip(g, longest: float):
    length = math.sqrt(sum(value * value for row in g for value in row))
    return elementwise(lambda value: value * min(1.0, longest / length), g)


def close(tensor: torch.Tensor, matrix, tolerance: float = 2e-5) -> bool:
    return torch.allclose(tensor, torch.tensor(matrix, dtype=torch.float32), rtol=tolerance, atol=tolerance)
