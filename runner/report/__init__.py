"""What a person sees: the console of a run, tables, and the words for numbers."""
