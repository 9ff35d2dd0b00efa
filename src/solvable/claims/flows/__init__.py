"""Claims of saddle-to-saddle dynamics from small initialisation, a file or a folder a paper."""
