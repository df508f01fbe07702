"""How gradients become one update of the model: what a member sends, and what all members make of it.

    base.py          the interface (`Optimizer`), `root`, and `optimizer_of(config)`
    config.py        what a user writes; no torch
    adamw.py         gradients, averaged: the dense baseline
    demo.py          DeMo: the largest DCT coefficients of each member's momentum (arXiv 2411.19870)
    distro.py        DisTrO as Psyche ships it: DeMo whose results arrive a round later
    demo_exact.py    DeMo by votes in whole numbers: the same bits on every machine
    diloco.py        inner AdamW, outer Nesterov (arXiv 2311.08105)
    sparseloco.py    inner steps, then the largest changes in two bits, with error feedback (arXiv 2508.15706)

Below them: `dct.py` (chunks and their transform), `coefficients.py` and `chosen.py` (the largest, as a payload), `dense.py`
(whole tensors as one), `adam.py`, `muon.py`, `inner.py` (steps between exchanges), `numbers.py` (arithmetic with the same bits
everywhere). One optimizer is one file: its `local_step` and `aggregate`
read like the page of its paper.
"""
