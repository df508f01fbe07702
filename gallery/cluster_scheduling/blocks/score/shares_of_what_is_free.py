def score(cpu, memory, free_cpu, free_memory):
    c = cpu / free_cpu
    m = memory / free_memory
    return -1.0 * c - 1.0 * m - 1.0 * m / c - 1.0 * c / m
