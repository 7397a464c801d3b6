"""What assistants of the world can do beyond talk of topics, and the casts that do it oddly."""
