"""What the suite can check: a folder run by make, an image, a URL.

Each target starts the service, or finds it, and hands over its address and output.
"""
