"""A small AWS on this computer."""
