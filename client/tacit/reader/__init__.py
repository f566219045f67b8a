"""The reader: signals of a user from Redis, and the choice made from them."""
