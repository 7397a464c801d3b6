"""Sealing a truth: the public half commits and verifies, the vault keeps what is sealed."""
