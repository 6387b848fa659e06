"""Records of the public operations, which drive the generic tests."""
