"""The engines that run a fleet, with one face."""
