"""The tasks, a file for those that are used alike: declared for `runner.registry.tasks`, and tried by their use."""
