"""How the embedded models and their data are made; needs the `train` extra."""
