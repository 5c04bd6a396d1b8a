"""Tasks with long dependencies, and the networks that are trained on them."""
