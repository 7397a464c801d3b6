"""Model organisms: small language models trained here, with a known and sealed objective."""
