def priority(el, n):
    worth = [0.0, 0.1, 0.2, 0.5, 0.9, 1.0, 0.8, 0.3, 0.2]
    return worth[n - el.count(0)]
