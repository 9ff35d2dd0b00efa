"""Claims whose truth is known, for testing the machinery."""
