def refine(elements, rng):
    return elements
