def score(cpu, memory, free_cpu, free_memory):
    """Worth of what is left of each, and of the difference between them."""
    left = [0.0, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 96.0]
    worth_cpu = [1.0, 0.6, 0.6, 0.5, 0.4, 0.3, 0.2, 0.1, 0.0]
    worth_memory = [1.0, 0.6, 0.6, 0.5, 0.4, 0.3, 0.2, 0.1, 0.0]
    rest_cpu, rest_memory = free_cpu - cpu, free_memory - memory
    apart = np.abs(rest_cpu / 64.0 - rest_memory / 96.0)
    return np.interp(rest_cpu, left, worth_cpu) + np.interp(rest_memory, left, worth_memory) - 0.5 * apart
