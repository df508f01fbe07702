"""A sorting network for 8 inputs: which wires are compared, in which order, whatever the numbers on them."""


class Wires:
    """What a network is drawn on. Wire numbers are taken modulo 8; a wire compared with itself is left out."""

    n = 8

    def __init__(self):
        self.drawn = []

    def compare(self, i, j):
        """Put the smaller number on the lower wire of the two."""
        i, j = int(i) % self.n, int(j) % self.n
        if i != j:
            self.drawn.append([min(i, j), max(i, j)])

    def mirrored(self, i, j):
        """Compare two wires, and the two that stand opposite them: i with j, 7 - i with 7 - j."""
        i, j = int(i) % self.n, int(j) % self.n
        self.compare(i, j)
        if i + j != self.n - 1:
            self.compare(self.n - 1 - i, self.n - 1 - j)


# EVOLVE-BLOCK-START
def network(wires):
    """Bubble sort, unrolled: 28 comparators."""
    for last in range(wires.n - 1, 0, -1):
        for i in range(last):
            wires.compare(i, i + 1)


# EVOLVE-BLOCK-END


def comparators():
    """The network as a list of pairs."""
    wires = Wires()
    network(wires)
    return wires.drawn
