"""From files to values with places."""
