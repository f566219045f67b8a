"""Reference of the rules of a user's state, slow and obvious, and its comparison with the product.

The reference is the object-based implementation from before users became rows of bytes. It shares the catalogue, the
contract and the prior of the population with the product, and nothing else. `python -m tests.reference 10000` compares
both over as many random streams.
"""
