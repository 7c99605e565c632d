"""The certificate of the gateway: read, checked, and given to Envoy below `.svcgen/`.

gateway/ is committed, so no private key may be in it. `.svcgen/` is closed to other users of this
machine (0700). Below it the container's user, which is another one, must be able to read the file:
the container sees the folder `tls` alone, as a mount.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from svcgen.certificates import CertificateError, Pair, require_pair
from svcgen.errors import SvcgenError
from svcgen.files import read_file, read_text
from svcgen.gateway.apply import RefusedFileError, WaitApplied, replace_text
from svcgen.gateway.envoy.tls import FOLDER, SECRET_FILE, secret
from svcgen.gateway_settings import GatewaySettings, TlsSettings
from svcgen.settings import SETTINGS_FILE
from svcgen.workspace import STATE_FOLDER, state_folder

MADE = f"{STATE_FOLDER}/ca"  # what `svcgen cert` makes
MOUNTED = f"{STATE_FOLDER}/{FOLDER}"
LARGEST = 2**20  # bytes of a certificate with its chain

FileProblem = tuple[str, str]
"""A file, and what is wrong with it, beginning with the key of svcgen.yaml."""


def tls_problems(root: Path, settings: GatewaySettings) -> list[FileProblem]:
    """Return why the files of `gateway.tls` cannot be used; nothing without the key."""
    return _read(root, settings.tls)[1] if settings.tls else []


def publish(root: Path, settings: GatewaySettings, wait_applied: WaitApplied) -> bool:
    """Write the file that Envoy reads, and report whether it changed; without TLS remove it.

    `wait_applied` is called when a file that existed was replaced. Raises SvcgenError when the
    files of svcgen.yaml cannot be used.
    """
    path = root / MOUNTED / SECRET_FILE
    if settings.tls is None:
        path.unlink(missing_ok=True)
        return False
    pair, problems = _read(root, settings.tls)
    for file, problem in problems:
        raise SvcgenError(f"{SETTINGS_FILE} and {file}: {problem}", "Correct the files named.")
    text, before = secret(pair), read_text(path)
    state_folder(root)
    if before == text:
        return False
    replace_text(path, text)
    if before is not None:
        try:
            wait_applied(SECRET_FILE)
        except RefusedFileError:
            replace_text(path, before)
            raise
    return True


def _read(root: Path, tls: TlsSettings) -> tuple[Pair, list[FileProblem]]:
    """Return the two files and what is wrong with them, each read once: one may be renewed now."""
    texts: dict[str, str] = {}
    problems = list(_unread(root, tls, texts))
    pair = Pair(texts.get("certificate", ""), texts.get("key", ""))
    if problems:
        return pair, problems
    try:
        require_pair(pair)
    except CertificateError as error:
        key = "key" if error.of_key else "certificate"
        file = getattr(tls, key)
        problems.append((file, f"gateway.tls.{key}: the file {error}{_renewal(file)}."))
    return pair, problems


def _unread(root: Path, tls: TlsSettings, texts: dict[str, str]) -> Iterator[FileProblem]:
    """Read the files into `texts`; yield a problem for each that cannot be read."""
    for key, file in (("certificate", tls.certificate), ("key", tls.key)):
        try:
            texts[key] = read_file(root / file, LARGEST).decode()
        except FileNotFoundError:
            yield file, f"gateway.tls.{key}: there is no such file{_renewal(file)}."
        except OSError as error:
            yield file, f"gateway.tls.{key}: the file cannot be read: {error.strerror}."
        except UnicodeDecodeError:
            yield file, f"gateway.tls.{key}: the file is not PEM."
        except ValueError as error:
            yield file, f"gateway.tls.{key}: {error}."


def _renewal(file: str) -> str:
    """Return what to type where `svcgen cert` makes the file: it is in no repository."""
    return "; `svcgen cert` makes it" if file.startswith(f"{MADE}/") else ""
