"""What each key of a recipe means, allows and needs."""
