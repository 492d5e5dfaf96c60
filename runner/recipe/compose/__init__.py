"""From values of several files, and the command line's, to those of one recipe."""
