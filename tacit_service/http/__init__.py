"""HTTP of all resources: operations, bodies, answers, problems, and the first layer of the application."""
