"""From a recipe with lists of values to the points of a sweep."""
