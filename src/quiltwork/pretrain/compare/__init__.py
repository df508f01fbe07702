"""Every optimizer on the same data, side by side: what each learns for the bytes that it sends and the time that it takes.

contestants.py   who takes part: optimizers with their dials, learning rates and rounds; no torch
comparison.py    what is compared, whole: model, data, steps, members, contestants, link; no torch
training.py      one contestant after the other is trained, all members in this process
folder.py        what is kept, so that nothing is trained twice
series.py        points -> bytes, seconds over a link, and a summary (pure)
chart.py, labels.py, axes.py, page.py   the picture (pure)
told.py          the table and the progress of a terminal
verb.py          `quiltwork pretrain compare`
"""
