"""The built-in techniques, one per file, and the reading glasses that they share."""
