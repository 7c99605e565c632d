"""What a template must keep, as plain functions: `svcgen template check` and tests call them."""
