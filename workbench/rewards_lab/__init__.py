"""What trains worlds, reward models and policies for the instruments in `workbench.rewards`."""
