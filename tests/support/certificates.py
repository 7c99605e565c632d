"""Certificates of a CA for tests, in files."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from svcgen.certificates import Pair, make_ca, make_certificate


@dataclass(frozen=True)
class Authority:
    """A CA in a folder of its own: `file` has its certificate."""

    folder: Path
    pair: Pair

    @property
    def file(self) -> Path:
        return self.folder / "ca.pem"

    def issue(self, *names: str) -> Path:
        """Return a file with a certificate for names and addresses, and its key."""
        made = make_certificate(self.pair, names)
        file = self.folder / "server.pem"
        file.write_text(made.certificate + made.key)
        return file


def authority(folder: Path) -> Authority:
    folder.mkdir()
    made = Authority(folder, make_ca("Test CA"))
    made.file.write_text(made.pair.certificate)
    (folder / "ca.key").write_text(made.pair.key)
    return made
