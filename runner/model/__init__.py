"""A model folder: the files that a loader may read, its IR and configuration, and how the runtime uses it."""
