"""Events as the state takes them."""
