"""Reward hacking measured: instruments for a user's tables and reward models, and exact worlds."""
