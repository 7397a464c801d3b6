"""Objective families, one per file; the registry finds them by entry point."""
