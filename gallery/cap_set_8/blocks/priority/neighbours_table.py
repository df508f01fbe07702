def priority(el, n):
    worth = [0.3, 0.8, 0.6, 0.7, 0.2, 0.9, 0.4, 0.5, 0.1]
    return sum(worth[3 * el[i] + el[(i + 1) % n]] for i in range(n))
