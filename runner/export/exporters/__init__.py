"""The exporters, a module each; what does the work is imported when it is used."""
