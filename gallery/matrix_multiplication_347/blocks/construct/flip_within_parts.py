def construct(start=None):
    """A random walk from the best scheme so far that keeps the first columns of B and the others apart: two smaller problems."""
    scheme = naive() if start is None else start
    return flip_walk(scheme, steps=2000000, seed=1, cut=3)


def flip_walk(scheme, steps, seed, cut):
    """Flips (Kauers and Moosbauer 2022): two products with a common factor exchange parts of their other factors.

    u x a x b + u x c x d = u x (a + c) x b + u x c x (d - b). Where a factor becomes zero, a product is saved.
    """
    import random

    if any(np.abs(factor).max() > 1 or (factor != np.rint(factor.real)).any() for factor in map(np.asarray, scheme.values())):
        return scheme
    rng = random.Random(seed)
    products = {r: [packed(scheme[name][r]) for name in "uvw"] for r in range(len(scheme["u"]))}
    where = [{}, {}, {}]
    for r, product in products.items():
        for mode in range(3):
            where[mode].setdefault(unsigned(product[mode]), []).append(r)
    numbers = list(products)
    left = sum(1 << i for i in range(M * P) if i % P < cut)

    def put(r, mode, factor):
        old, new = unsigned(products[r][mode]), unsigned(factor)
        products[r][mode] = factor
        if old != new:
            where[mode][old].remove(r)
            where[mode].setdefault(new, []).append(r)

    for _ in range(steps):
        r = numbers[int(rng.random() * len(numbers))]
        mode = int(rng.random() * 3)
        same = where[mode][unsigned(products[r][mode])]
        if len(same) < 2:
            continue
        s = same[int(rng.random() * len(same))]
        if r == s:
            continue
        a, b = ((1, 2), (2, 0), (0, 1))[mode]
        if rng.random() < 0.5:
            a, b = b, a
        first, second = products[r], products[s]
        if mode == 0 and columns(first[1], left) != columns(second[1], left):
            continue
        minus = rng.random() < 0.5
        opposite = first[mode] != second[mode]
        given = added(first[a], second[a], minus)
        taken = added(second[b], first[b], minus == opposite)
        if given is None or taken is None:
            continue
        put(r, a, given)
        put(s, b, taken)
        for t, factor in ((r, given), (s, taken)):
            if factor == (0, 0):
                for other in range(3):
                    where[other][unsigned(products[t][other])].remove(t)
                del products[t]
                numbers = list(products)
    sizes = {"u": N * M, "v": M * P, "w": N * P}
    return {
        name: np.array([unpacked(product[part], size) for product in products.values()])
        for part, (name, size) in enumerate(sizes.items())
    }


def columns(factor, left):
    """Whether a factor of B touches columns left of the cut, and right of it."""
    bits = factor[0] | factor[1]
    return bits & left > 0, bits & ~left > 0


def packed(row):
    """Coefficients -1, 0, 1 as two whole numbers: bits of those that are 1, and of those that are -1."""
    return sum(1 << i for i, x in enumerate(row) if x > 0), sum(1 << i for i, x in enumerate(row) if x < 0)


def unpacked(factor, size):
    return [float((factor[0] >> i & 1) - (factor[1] >> i & 1)) for i in range(size)]


def unsigned(factor):
    """The same for a factor and its negative."""
    plus, minus = factor
    return factor if plus & -plus > minus & -minus else (minus, plus)


def added(first, second, minus):
    """The sum or the difference of two factors, or None where it is not made of -1, 0 and 1."""
    p, q = first
    r, s = (second[1], second[0]) if minus else second
    if p & r or q & s:
        return None
    return (p | r) & ~(q | s), (q | s) & ~(p | r)
