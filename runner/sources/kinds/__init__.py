"""The sources, a module each; what finds the models lies beside this package, and is imported when it is used."""
