"""The formats of datasets, a module each; what reads them lies beside this package, and is imported when it is used."""
