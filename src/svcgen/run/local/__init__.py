"""A fleet without Docker: the command's side of the local engine, and its supervisor process."""
