"""Models of users and of the population, and decisions."""
