"""The gateway of a local fleet: a supervised Envoy."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable, Mapping, Sequence

from svcgen.errors import SvcgenError
from svcgen.files import allow_open_files, read_text, write_atomic
from svcgen.gateway import admin
from svcgen.gateway.apply import cluster_names, write_in_order
from svcgen.gateway.envoy.bootstrap import BOOTSTRAP, fit_connections
from svcgen.ports import is_free
from svcgen.run.engine import GATEWAY, Replica
from svcgen.run.local import processes
from svcgen.run.local.environment import system_environment
from svcgen.run.local.paths import Paths
from svcgen.run.local.saved import SavedProgram
from svcgen.run.local.supervisor.probe import SECONDS
from svcgen.run.local.supervisor.process import Child, start_child
from svcgen.run.local.supervisor.restart import ProgramSpec, SupervisedProcess

NAME = "gateway-1"
OPEN_FILES = 65_536  # for 20,000 clients; a much higher limit makes some programs slow
START_SECONDS = 30.0
ROUTABLE_SECONDS = 15.0
# After a change of a listener: the next response on an open connection ends it, and an idle one
# ends after this time. As long as the container's entrypoint.sh.
FLAGS = (
    *("--drain-strategy", "immediate", "--drain-time-s", "35"),
    # Hot restart shares memory between all Envoys with one number, also those of other fleets.
    *("--disable-hot-restart", "--concurrency", "2"),
    *("--log-level", "warning", "--component-log-level", "tracing:critical,http:critical"),
)
LOOK_SECONDS = 0.1


class Gateway:
    """One Envoy for clients and for calls between services."""

    def __init__(self, program: str, port: int, paths: Paths, changed: Callable[[], None]) -> None:
        self.port = port
        self._program = program
        self._paths = paths
        self._open_files = allow_open_files(OPEN_FILES)  # also those of the services
        self._spec = ProgramSpec(paths, NAME, self._start, self._is_ready, changed)
        self.process = SupervisedProcess(self._spec)

    async def begin(self, files: Mapping[str, str]) -> None:
        """Start Envoy with these files; SvcgenError when it does not answer."""
        await asyncio.to_thread(write_in_order, self._paths.gateway, files, lambda _name: None)
        self.process.begin()
        await self.process.wait_ready(START_SECONDS)
        stats = await asyncio.to_thread(admin.read_stats, self._paths.admin)
        if stats.get("listener_manager.lds.update_rejected", 0):
            raise SvcgenError("The gateway could not open all of its ports.", "Try again.")

    def saved(self) -> SavedProgram:
        """Return what an adopting supervisor needs."""
        return SavedProgram(self._program, self.process.saved(self.port))

    async def apply(self, files: Mapping[str, str]) -> None:
        """Change a running Envoy's files in the order that loses no request.

        An Envoy that another version of svcgen started has another bootstrap, and may lack what the
        new files need: it is replaced, which takes a moment, as with Docker.
        """
        given = await asyncio.to_thread(read_text, self._paths.gateway / BOOTSTRAP)
        if files.get(BOOTSTRAP, given) != given:
            await self.drain()
            await self.end()
            self.process = SupervisedProcess(self._spec)
            return await self.begin(files)

        def write() -> None:
            applied = admin.acknowledged(lambda: admin.read_stats(self._paths.admin))
            write_in_order(self._paths.gateway, files, applied)

        return await asyncio.to_thread(write)

    async def wait_routable(self, service: str, ports: Sequence[int]) -> None:
        """Return when Envoy sends requests to these ports; SvcgenError when it does not.

        A service that no client and no other service can call has no cluster: there is nothing to
        wait for.
        """
        if service not in await asyncio.to_thread(cluster_names, self._paths.gateway):
            return
        deadline = time.monotonic() + ROUTABLE_SECONDS
        while not set(ports) <= await asyncio.to_thread(self._healthy_ports, service):
            if time.monotonic() > deadline:
                raise SvcgenError(
                    f"The gateway sends no requests to {service}: its health check fails.",
                    "Read why: svcgen logs gateway",
                )
            await asyncio.sleep(LOOK_SECONDS)

    async def _is_ready(self) -> bool:
        """Report whether Envoy accepts clients: its port may be HTTP or HTTPS."""
        try:
            await asyncio.to_thread(admin.ask, self._paths.admin, admin.READY_PAGE, timeout=SECONDS)
        except SvcgenError:
            return False
        return not is_free(self.port)

    def _healthy_ports(self, service: str) -> set[int]:
        with contextlib.suppress(SvcgenError):
            clusters = admin.parse_clusters(admin.ask(self._paths.admin, admin.CLUSTERS_PAGE))
            return {host.port for host in clusters.get(service, ()) if host.healthy}
        return set()

    async def drain(self) -> None:
        """Finish the requests in progress; new connections are still accepted."""
        if self.process.state != "ready":
            return
        with contextlib.suppress(SvcgenError):
            await asyncio.to_thread(admin.drain, self._paths.admin)

    async def end(self) -> None:
        """End Envoy at once; `drain` has finished its requests."""
        await self.process.end(START_SECONDS)

    def row(self) -> Replica:
        """Return the gateway as a replica for `ps`."""
        return self.process.row(GATEWAY, self.port)

    async def _start(self) -> Child:
        self._paths.admin.unlink(missing_ok=True)
        # Apart from the given file, as entrypoint.sh has it: a request is compared with that one.
        given = read_text(self._paths.gateway / BOOTSTRAP) or ""
        fitted = fit_connections(given, self._open_files)
        if read_text(self._paths.bootstrap) != fitted:  # a restart on a full disk writes nothing
            write_atomic(self._paths.bootstrap, fitted, 0o600)
        config = ("-c", str(self._paths.bootstrap))
        command = [self._program, *FLAGS, "--file-flush-interval-msec", "200", *config]
        environment = {**system_environment(), **processes.labels(self._paths.run, NAME)}
        return await start_child(command, self._paths.state, environment, self._paths.log(NAME))
