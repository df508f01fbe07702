def kernel(u, v, steps, feed, kill):
    """Grids with a border as one row of numbers: all neighbours are contiguous slices, and the border is mended each time."""
    rows, columns = u.shape
    width = columns + 2
    x, y = np.pad(u, 1, mode="wrap").ravel(), np.pad(v, 1, mode="wrap").ravel()
    inner = slice(width, len(x) - width)
    around, reaction = np.empty(rows * width), np.empty(rows * width)
    for _ in range(steps):
        np.multiply(y[inner], y[inner], out=reaction)
        reaction *= x[inner]
        for flat, spread, loss, gain, sign in ((x, 0.16, feed, feed, -1.0), (y, 0.08, feed + kill, 0.0, 1.0)):
            np.add(flat[: -2 * width], flat[2 * width :], out=around)
            around += flat[width - 1 : -width - 1]
            around += flat[width + 1 : len(flat) - width + 1]
            around *= spread
            flat[inner] *= 1.0 - 4.0 * spread - loss
            flat[inner] += around
            flat[inner] += gain
            if sign < 0:
                flat[inner] -= reaction
            else:
                flat[inner] += reaction
            grid = flat.reshape(rows + 2, width)
            grid[:, 0], grid[:, -1] = grid[:, -2], grid[:, 1]
            grid[0], grid[-1] = grid[-2], grid[1]
    return [grid_of(x, rows, columns), grid_of(y, rows, columns)]


def grid_of(flat, rows, columns):
    return flat.reshape(rows + 2, columns + 2)[1:-1, 1:-1].copy()
