"""A run on the screen: a snapshot of the state, the live panel, and how a run's values are said to people.

snapshot.py   state -> Snapshot: plain data that the panel and the report both draw
panel.py      the live panel, plain lines in a pipe     panel_parts.py   what it is made of
gap.py        the scale near a known value              wording.py       where a value stands, in words
"""
