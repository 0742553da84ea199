"""What is here, what is missing, and what to type: on this machine, and of an environment."""
