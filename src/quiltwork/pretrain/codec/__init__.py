"""Updates as bytes: lossless, canonical (one encoding per update, and decoding what is not one is refused), bounded.

    base.py      the frame around every payload, and `Malformed`
    bits.py      fields of a fixed number of bits, packed
    subsets.py   which k of n: the rank of a set among all sets, in ceil(log2 C(n, k)) bits
    values.py    what was sent at these places: signs, two levels, or fp32
    sparse.py    a payload of sparse tensors: subsets, then values
    dense.py     a payload of whole tensors

The length of a payload follows from the parameters' shapes, so it is known before a byte is read. Numpy only.
"""
