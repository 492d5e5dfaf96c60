"""All that knows NNCF: its process, its parameters, and the search of accuracy control."""
