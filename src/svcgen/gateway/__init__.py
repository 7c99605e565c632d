"""From registrations to routes to Envoy files."""
