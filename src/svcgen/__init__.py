"""svcgen writes small, complete microservices and stitches them behind one gateway."""
