"""The families of metrics, a module each: all that a recipe may say of them, and what measures.

A metric that is a number a row is one decorated function here. The others name the module with the work, which imports
NumPy and more: `ovrun validate` reads the declarations alone.
"""
