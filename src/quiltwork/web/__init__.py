"""The door for browsers: `quiltwork web`.

It reads runs and starts processes, and knows no room's nouns: a room's `pages.py` says what there is to see (`registry.py`).

- `commands.py`   the command: address, token, server
- `security.py`   who may ask, and what a page may do
- `app.py`        the addresses
- `live.py`       one folding of a run's log, however many look at it
- `overview.py`   the list of runs, folded one after another
- `stream.py`     what is new, as server-sent events that know no buffer
- `drivers.py`    the processes that drive runs
- `assets.py`     the drawing libraries, fetched once, pinned by their hashes
"""
