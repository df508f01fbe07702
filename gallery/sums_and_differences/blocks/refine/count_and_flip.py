def refine(elements, rng):
    """Flip many elements: tables say how often each sum and difference occurs, so that a flip costs one row and not all pairs."""
    tries, adding, heat = 3000, 0.5, 0.0
    largest = int(elements.max())
    inside = np.zeros(largest + 1, dtype=bool)
    inside[elements] = True
    sums, differences = np.zeros(2 * largest + 1, dtype=np.int32), np.zeros(2 * largest + 1, dtype=np.int32)
    for element in elements.tolist():
        sums[elements + element] += 1
        differences[elements + (largest - element)] += 1
    now = np.count_nonzero(differences) / np.count_nonzero(sums)
    plus, minus = np.count_nonzero(sums), np.count_nonzero(differences)
    for _ in range(tries):
        if rng.random() < adding:
            i, j, k = elements[rng.integers(len(elements), size=3)]
            x = int(i + j - k)
            if not 0 < x < largest or inside[x]:
                continue
            new_plus = plus + np.count_nonzero(sums[elements + x] == 0) + (sums[2 * x] == 0)
            new_minus = minus + 2 * np.count_nonzero(differences[largest + np.unique(np.abs(elements - x))] == 0)
        else:
            x = int(elements[rng.integers(len(elements))])
            if not 0 < x < largest:
                continue
            others = elements[elements != x]
            new_plus = plus - np.count_nonzero(sums[others + x] == 2) - (sums[2 * x] == 1)
            gaps, times = np.unique(np.abs(others - x), return_counts=True)
            new_minus = minus - 2 * np.count_nonzero(differences[largest + gaps] == times)
        if new_minus / new_plus >= now - heat * rng.random() * now:
            sign = -1 if inside[x] else 1
            others = elements[elements != x]
            sums[others + x] += 2 * sign
            sums[2 * x] += sign
            differences[others + (largest - x)] += sign
            differences[x + (largest - others)] += sign
            differences[largest] += sign
            inside[x] = sign > 0
            elements = np.flatnonzero(inside) if largest < 2**16 else np.setxor1d(elements, x)
            plus, minus, now = new_plus, new_minus, new_minus / new_plus
    return elements
