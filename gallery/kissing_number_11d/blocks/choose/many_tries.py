def choose(sizes, good, rng):
    tries = 40
    best, most = [], 0
    for _ in range(tries):
        left, chosen = np.diagonal(good).copy(), []
        for i in rng.permutation(len(sizes)):
            if left[i]:
                chosen.append(i)
                left &= good[i]
        if sizes[chosen].sum() > most:
            best, most = chosen, sizes[chosen].sum()
    return best
