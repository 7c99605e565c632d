"""A fleet as containers, driven by `docker compose` on the workspace's compose.yaml."""
