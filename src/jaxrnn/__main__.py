"""`python -m jaxrnn` is `jaxrnn`."""

from jaxrnn.cli import main

main()
