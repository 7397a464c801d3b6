"""Sparse autoencoders: train, encode, read, judge. `lens` is the one file that speaks sae_lens."""
