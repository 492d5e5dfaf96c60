"""What every other room stands on; nothing here knows of recipes, models or stages."""
