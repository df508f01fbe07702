def construct(start=None):
    """1 / sqrt(x) on one side: its autoconvolution is flat over half of its length."""
    steps = 200
    return (np.arange(steps) + 0.5) ** -0.5
