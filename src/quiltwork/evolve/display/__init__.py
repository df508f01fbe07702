"""A run on the screen: a snapshot of the state, the live panel, and how numbers are said to people.

snapshot.py   state -> Snapshot: plain data that the panel and the report both draw
panel.py      the live panel, plain lines in a pipe     panel_parts.py   what it is made of
gap.py        the scale near a known value              braille.py       a curve in characters
wording.py    values, differences and durations in words
"""
