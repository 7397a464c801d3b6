"""Model organisms: small language models trained here, with an objective that is known and sealed."""
