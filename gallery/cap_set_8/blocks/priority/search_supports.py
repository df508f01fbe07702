def priority(el, n):
    """Vectors that differ in signs alone together or not at all: a family of supports, improved by local search."""
    if not SUPPORTS:
        SUPPORTS.update(found_supports(n, rounds=1500, seed=1))
    return 1.0 if sum(2**i for i in range(n) if el[i]) in SUPPORTS else 0.0


SUPPORTS = set()


def found_supports(n, rounds, seed):
    """Change some worths at a time, rebuild the family, and keep what covers as many vectors or more."""
    import random

    rng = random.Random(seed)
    worth = [rng.random() + 0.3 * min(s.bit_count(), 6) for s in range(2**n)]
    best, best_size = [], 0
    for _ in range(rounds):
        changed = list(worth)
        for _ in range(rng.choice([1, 2, 5])):
            changed[rng.randrange(2**n)] = rng.random() + 0.3 * rng.randrange(n)
        family = family_of(changed)
        size = sum(2 ** s.bit_count() for s in family)
        if size >= best_size:
            worth, best, best_size = changed, family, size
    return best


def family_of(worth):
    """Supports in order of worth, each unless signs can be found that put it on a line with two taken before."""
    family = []
    for s in sorted(range(len(worth)), key=lambda s: -worth[s]):
        if any(s & a in (s, a) for a in family):
            continue
        if not any((s ^ a ^ b) & ~(s & a & b) == 0 for i, a in enumerate(family) for b in family[:i]):
            family.append(s)
    return family
