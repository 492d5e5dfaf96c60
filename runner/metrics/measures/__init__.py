"""Measures as pure functions, a module for each kind of values that rows have.

A first function makes statistics of what a model gave and what its data say: float64, shape [rows, k], a row of NaN
where a row has no number. A second makes the figure of them, or of any choice of them, for which it has to be quick: an
interval asks it a thousand times. NumPy alone is imported with a module; other libraries where they are needed.
"""
