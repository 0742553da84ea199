"""One archive for a site without a network: all that is needed to run there, and to check it."""
