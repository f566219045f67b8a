"""What is learned: models of users and of the population, and decisions."""
