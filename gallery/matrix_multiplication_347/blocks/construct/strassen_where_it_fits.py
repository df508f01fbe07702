def construct(start=None):
    """Cut both matrices into 2 x 2 blocks and multiply each pair of blocks by Strassen's seven products; single ones elsewhere."""
    rows = []
    for i in range(0, N, 2):
        for j in range(0, M, 2):
            for k in range(0, P, 2):
                rows += block_products(list(range(i, min(i + 2, N))), list(range(j, min(j + 2, M))), list(range(k, min(k + 2, P))))
    return {name: np.array([row[part] for row in rows]) for part, name in enumerate("uvw")}


STRASSEN = [
    ([1, 0, 0, 1], [1, 0, 0, 1], [1, 0, 0, 1]),
    ([0, 0, 1, 1], [1, 0, 0, 0], [0, 0, 1, -1]),
    ([1, 0, 0, 0], [0, 1, 0, -1], [0, 1, 0, 1]),
    ([0, 0, 0, 1], [-1, 0, 1, 0], [1, 0, 1, 0]),
    ([1, 1, 0, 0], [0, 0, 0, 1], [-1, 1, 0, 0]),
    ([-1, 0, 1, 0], [1, 1, 0, 0], [0, 0, 0, 1]),
    ([0, 1, 0, -1], [0, 0, 1, 1], [1, 0, 0, 0]),
]


def block_products(rows, inner, columns):
    """The products of one pair of blocks, as coefficients in the whole matrices."""
    if len(rows) == len(inner) == len(columns) == 2:
        return [
            (spread(u, rows, inner, N, M), spread(v, inner, columns, M, P), spread(w, rows, columns, N, P))
            for u, v, w in STRASSEN
        ]
    return [
        (spread([1], [i], [j], N, M), spread([1], [j], [k], M, P), spread([1], [i], [k], N, P))
        for i in rows
        for j in inner
        for k in columns
    ]


def spread(numbers, rows, columns, height, width):
    """A block's coefficients in the place where the block is."""
    whole = np.zeros((height, width))
    whole[np.ix_(rows, columns)] = np.reshape(numbers, (len(rows), len(columns)))
    return whole.ravel()
