"""What desks answer: each module calls the core as the command line does, and gives back JSON."""
