"""The host's OpenAI-compatible door: any client of that protocol audits under the same rules."""
