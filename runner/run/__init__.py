"""A run: stages that are missing are made, checks are judged, the best are published."""
