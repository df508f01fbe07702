"""Text for people, on a terminal and on a page: what several rooms and doors would else write twice.

numbers.py     values, times and sizes in words          strangers.py   what others wrote, made harmless
braille.py     a curve in a few lines of letters         markup.py      elements of pages and pictures
"""
