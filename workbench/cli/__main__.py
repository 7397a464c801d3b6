"""`python -m workbench.cli`, where the console script is not on the path."""

from workbench.cli import main

main()
