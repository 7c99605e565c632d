"""`svcgen run` in Docker: a relay container has the service's name and forwards to this machine.

The relay has the labels of Compose, so it is a replica: `down` removes it, and an `up` after a
killed `svcgen run` replaces it. While `svcgen run` lives, it holds a lock.
"""

from __future__ import annotations

import json
import os
import subprocess
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path

from svcgen.compose.stitch import ENVOY_IMAGE
from svcgen.contract.http import Address, status
from svcgen.contract.support.proxy import TcpProxy
from svcgen.errors import SvcgenError
from svcgen.files import locked
from svcgen.gateway.envoy.clusters import ClusterUpstream
from svcgen.gateway.envoy.relay import relay_config
from svcgen.ports import LOOPBACK
from svcgen.run.docker.containers import LABEL, RELAY, Container, Observed, observe
from svcgen.run.docker.docker import Compose, docker
from svcgen.run.docker.gateway import wait_routable
from svcgen.run.docker.rolling import drain, remove, scale_and_replace
from svcgen.run.docker.state import replica_counts
from svcgen.run.engine import Command, Report
from svcgen.run.foreground import ForegroundCommand, started
from svcgen.workspace import STATE_FOLDER, state_folder

LOOK = 0.5
NETWORK = "platform"

Changing = Callable[[], AbstractContextManager[Compose]]
"""Holds the fleet's lock."""


def lock_of(root: Path, name: str) -> Path:
    """Return the file that the `svcgen run` of a service holds locked."""
    return root / STATE_FOLDER / f"run-{name}.lock"


def is_served(root: Path, name: str) -> bool:
    """Return whether a `svcgen run` of this service lives."""
    try:
        with locked(lock_of(root, name), wait=False):
            return False
    except BlockingIOError:
        return True
    except FileNotFoundError:
        return False


def require_not_served(root: Path, names: Sequence[str]) -> None:
    """Raise SvcgenError when a `svcgen run` serves one of these services."""
    for name in names:
        if is_served(root, name):
            raise _served(name)


def _served(name: str) -> SvcgenError:
    return SvcgenError(f"`svcgen run` serves {name}.", "End it first: Ctrl-C in its terminal.")


def relays(seen: Observed, root: Path) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the services that a `svcgen run` serves, and those whose `svcgen run` was killed."""
    names = sorted({container.service for container in seen.containers if container.relay})
    served = tuple(name for name in names if is_served(root, name))
    return served, tuple(name for name in names if name not in served)


@dataclass
class DockerRun:
    """One `svcgen run`: its command takes the place of containers, and they return at its end."""

    name: str
    folder: Path
    upstream: ClusterUpstream
    changing: Changing
    report: Report
    over: threading.Event = field(default_factory=threading.Event)
    proxy: TcpProxy | None = None

    def serve(self, root: Path, command: Command, variables: Mapping[str, str]) -> int:
        """Run the command in the foreground; return its exit code."""
        state_folder(root)
        lock = lock_of(root, self.name)
        try:
            with locked(lock, wait=False, create=True):
                process = ForegroundCommand(started(command(variables), self.folder, variables))
                port = int(variables["PORT"])
                following = threading.Thread(
                    target=self._follow, args=(root, port, process.child), daemon=True
                )
                following.start()
                code = process.wait()
                self.over.set()
                following.join()
                if self.proxy:
                    self.proxy.disable()
                    self._give_back(root)
                lock.unlink(missing_ok=True)
                return code
        except BlockingIOError as error:
            raise _served(self.name) from error

    def _follow(self, root: Path, port: int, child: subprocess.Popen[bytes]) -> None:
        """Take over as soon as the process answers; end it with the fleet."""
        while not self.over.wait(LOOK):
            if self.proxy:
                if not observe(root).of(self.name):
                    self.report(self.name, "the fleet was stopped")
                    return child.terminate()
            elif status(Address(port), self.upstream.health_path, timeout=2) == HTTPStatus.OK:
                try:
                    self._take_over(port)
                except SvcgenError as error:
                    self.report(self.name, error.problem)
        return None

    def _take_over(self, port: int) -> None:
        """Start the relay, wait until the gateway reaches the process, drain the containers."""
        with self.changing() as compose:
            old = observe(compose.root).of(self.name)
            network = f"{compose.project}_{NETWORK}"
            proxy = TcpProxy(LOOPBACK, port, _gateway_address(network))
            try:
                proxy.enable()
            except OSError as error:
                raise SvcgenError(
                    f"This machine has not the address {proxy.address} of the network {network}, "
                    "as with Docker Desktop: containers do not reach your process."
                ) from error
            relay = self._start_relay(compose, network, proxy, old)
            try:
                seen = observe(compose.root)
                hosts = [each.host for each in seen.of(self.name) if each.id == relay]
                wait_routable(seen.gateway, {self.name: hosts})
            except BaseException:
                docker("rm", "--force", relay, tolerate=True)
                proxy.disable()
                raise
            self.proxy = proxy
            self.report(self.name, f"requests go to {LOOPBACK}:{port}, your process")
            drain(old, self.report)

    def _start_relay(
        self, compose: Compose, network: str, proxy: TcpProxy, old: Sequence[Container]
    ) -> str:
        number = max((container.number for container in old), default=0) + 1
        labels = {
            f"{LABEL}project": compose.project,
            f"{LABEL}project.working_dir": str(compose.root),
            f"{LABEL}service": self.name,
            f"{LABEL}container-number": str(number),
            f"{LABEL}oneoff": "False",
            f"{LABEL}config-hash": "relay",
            RELAY: "true",
        }
        config = relay_config(self.upstream.port, proxy.address, proxy.port)
        container = ["--detach", "--name", f"{compose.project}-{self.name}-run"]
        container += ["--network", network, "--network-alias", self.name]
        container += ["--env", f"PORT={self.upstream.port}", "--user", "101", "--memory", "256m"]
        container += ["--read-only", "--cap-drop", "ALL"]
        container += ["--security-opt", "no-new-privileges:true", "--entrypoint", "envoy"]
        container += [f"--label={key}={value}" for key, value in labels.items()]
        image = os.environ.get("ENVOY_IMAGE") or ENVOY_IMAGE
        program = ["--config-yaml", json.dumps(config), "--log-level", "warn"]
        return docker("run", *container, image, *program).strip()

    def _give_back(self, root: Path) -> None:
        """Start the containers of the service again, and remove the relay."""
        with self.changing() as compose:
            running = observe(root)
            relay = running.of(self.name)
            if not relay:
                return  # `svcgen down` has removed it
            self.report(self.name, "starting the replica of the fleet again")
            count = replica_counts(root, [self.name], {})[self.name]
            try:
                scale_and_replace(compose, relay, count, relay, self.report)
            except SvcgenError:
                remove([container for container in relay if container.relay])
                raise


def _gateway_address(network: str) -> str:
    """Return the address that this machine has in a network of Docker."""
    return docker(
        "network", "inspect", network, "--format", "{{(index .IPAM.Config 0).Gateway}}"
    ).strip()
