"""Briefs to requests: what a model is shown and told. No input or output, no clock, no chance of its own.

    fitting.py     how many tokens a text takes, and what is left out first when a context is too small
    material.py    text that others wrote, between lines that it cannot forge
    chat.py        the chat that shows a problem, a parent, inspirations, artifacts, failures, and says what to do
    rules.py       how to answer, per format, each with an example
    completion.py  FunSearch's prompt: earlier versions of a function, then the header of the next
    meta.py        asking for a better instruction
    judge.py       asking for an opinion
    task.py        what an external agent is told

Equal briefs give equal requests, bit for bit: that is what makes a recording replay.
"""
