"""The fleet without Docker: a supervisor, Envoy and PostgreSQL."""
