def choose(sizes, good, rng):
    chosen = []
    for i in range(len(sizes)):
        if good[i, i] and good[i, chosen].all():
            chosen.append(i)
    return chosen
