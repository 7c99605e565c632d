"""Running a fleet: one interface, and an engine for Docker and one for processes."""
