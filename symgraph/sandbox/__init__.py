"""Module paths that Theano's programs import from."""
