"""Events in the form that the state uses."""
