"""Claims of linear networks: exact learning curves, landscapes and what initialisation decides."""
