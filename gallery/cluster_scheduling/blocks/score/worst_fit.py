def score(cpu, memory, free_cpu, free_memory):
    return (free_cpu - cpu) / 64.0 + (free_memory - memory) / 96.0
