"""Forecasts of monthly money in plain numpy: values in, values out, all series at once.

A series is a row, a month a column; the last column is the newest month, and all rows end in it. Where series begin in
different months, those of equal length are worked on together.
"""
