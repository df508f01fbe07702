def grow(centres, sides):
    from scipy.optimize import linprog

    first, second = np.triu_indices(N, 1)
    apart = np.hypot(*(centres[first] - centres[second]).T)
    near = apart < 0.8
    rows = np.zeros((int(near.sum()), N))
    rows[np.arange(len(rows)), first[near]] = 1.0
    rows[np.arange(len(rows)), second[near]] = 1.0
    walls = np.maximum(np.minimum(centres, sides - centres).min(axis=1), 0.0)
    bounds = np.column_stack([np.zeros(N), walls])
    solved = linprog(-np.ones(N), A_ub=rows, b_ub=apart[near], bounds=bounds, method="highs-ds")
    return np.maximum(solved.x, 0.0) if solved.status == 0 else np.zeros(N)
