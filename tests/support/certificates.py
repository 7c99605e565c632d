"""Certificates of a CA for tests, made by the program openssl."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path

KEY = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "30")


@dataclass(frozen=True)
class Authority:
    """A CA in a folder of its own: `file` has its certificate."""

    folder: Path

    @property
    def file(self) -> Path:
        return self.folder / "ca.pem"

    def issue(self, *names: str) -> Path:
        """Return a file with a certificate for names such as `DNS:localhost`, and its key."""
        made = self.folder / f"{names[0].replace(':', '-').replace('*', 'any')}.pem"
        key = made.with_suffix(".key")
        signed = ("-CA", str(self.file), "-CAkey", str(self.folder / "ca.key"))
        extension = f"subjectAltName={','.join(names)}"
        _openssl("/CN=test", made, key, *signed, "-addext", extension)
        made.write_text(made.read_text() + key.read_text())
        return made


def authority(folder: Path) -> Authority:
    folder.mkdir()
    _openssl("/CN=Test CA", folder / "ca.pem", folder / "ca.key")
    return Authority(folder)


def _openssl(subject: str, certificate: Path, key: Path, *more: str) -> None:
    out = ("-subj", subject, "-out", str(certificate), "-keyout", str(key))
    subprocess.run(["openssl", "req", "-x509", *KEY, *out, *more], check=True, capture_output=True)
