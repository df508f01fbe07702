def score(cpu, memory, free_cpu, free_memory):
    """How well the job's shape matches what is free: the cosine between the two, and a little of best fit."""
    x, y = cpu / 64.0, memory / 96.0
    a, b = free_cpu / 64.0, free_memory / 96.0
    return (x * a + y * b) / np.sqrt(a * a + b * b) / np.sqrt(x * x + y * y) - 0.3 * (a + b)
