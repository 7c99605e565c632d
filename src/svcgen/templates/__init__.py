"""Where templates come from: svcgen's own releases, git repositories, folders.

Also what copier.yml declares: questions, managed and seeded paths.
"""
