"""Linear probes: train, metrics, probe card."""
