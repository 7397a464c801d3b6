"""The alignment auditing workbench: find out whether a language model has a hidden objective."""

__version__ = "0.1.0"
