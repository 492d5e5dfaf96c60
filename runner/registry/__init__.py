"""What can be named in a recipe, declared beside the code that does it."""
