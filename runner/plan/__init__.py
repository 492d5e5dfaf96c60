"""Plans: which stages a recipe needs, in what order, and the key of each."""
