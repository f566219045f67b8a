"""HTTP service: the API of assistants, the page of users, and the console of operators."""
