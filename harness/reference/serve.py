"""Running the reference EHR: three listeners, one ready line, a clean end."""

from __future__ import annotations

import asyncio
import ipaddress
import json
import logging
import os
import secrets
import signal
import socket
import stat
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from importlib import import_module
from typing import Any

import uvicorn
from starlette.types import ASGIApp

from harness.errors import UsageError
from harness.reference.app import DEFAULT, Reference
from harness.reference.bulk.storage import Storage
from harness.reference.clients import registered
from harness.reference.control import Control
from harness.reference.credentials import PASSWORDS, Credentials
from harness.reference.fhir.sqlite import IN_MEMORY, Journal, Origin
from harness.reference.fhir.store import Store
from harness.reference.oauth.id_token import IssuerKey
from harness.reference.options import Settings
from harness.reference.people import people

_GRACE = 2
"""Seconds that requests under way get to finish when the process is told to end."""

_IDLE = 75
"""Seconds that an idle connection stays open; longer than clients keep one in their pools."""


class _Listener(uvicorn.Server):
    """A uvicorn server that leaves signals to `serve`; three of them share one loop."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def serve(settings: Settings) -> int:
    """Serves until SIGTERM, SIGINT, or the end of standard input where that is a pipe.

    Returns:
        0.

    Raises:
        UsageError: the port cannot be had, or the credentials file cannot be written.
        ConfigError: a credential in the environment cannot be used.
    """
    logging.basicConfig(
        stream=sys.stderr,
        level=logging.INFO if settings.verbose else logging.WARNING,
        format="%(asctime)s %(message)s",
    )
    credentials = Credentials.from_environment(os.environ)
    public, control = _bind(settings.host, settings.port), _bind("127.0.0.1", 0)
    storage = _bind(settings.host, 0)
    reference = build(
        settings,
        credentials,
        settings.public_url or _url(settings.host, public),
        _url(settings.host, storage),
    )
    if settings.env_file:
        try:
            credentials.write(settings.env_file)
        except OSError as error:
            reason = error.strerror
            raise UsageError(f"--env-file {settings.env_file}: {reason}") from error
    secret = secrets.token_urlsafe(32)
    ready = {
        **_ready(reference, credentials),
        "control": _url("127.0.0.1", control),
        "control_secret": secret,
    }
    listeners = [
        (_listener(reference), public),
        (_listener(Control(reference, secret).app()), control),
        (_listener(Storage(reference.instance)), storage),
    ]
    store = reference.apps[DEFAULT].instance.store
    try:
        asyncio.run(_serve(listeners, ready))
    finally:
        store.close()
    return 0


def build(
    settings: Settings, credentials: Credentials, public_url: str, storage_url: str | None = None
) -> Reference:
    """The EHR with its default instance, not yet listening.

    Raises:
        UsageError: the file for the data cannot be used, or is one of other patients.
    """
    journal = Journal(settings.data or IN_MEMORY)
    store = Store.seeded(settings.seed, settings.patients, _present(settings, journal))
    reference = Reference(
        public_url=public_url,
        store=store,
        clients=registered(credentials, settings.redirect_uris, settings.launch_uris),
        people=people(store, credentials),
        key=IssuerKey.generate(),
        storage_url=storage_url,
        notified=frozenset(settings.notify),
    )
    reference.add(
        DEFAULT,
        settings.faults,
        replace(settings.throttle),
        settings.smart,
        settings.variants,
        store.overlay(journal),
        settings.bulk,
    )
    return reference


def _present(settings: Settings, journal: Journal) -> datetime:
    """The present of the synthetic data: in a file that of its first start, else now."""
    made, now = journal.origin, datetime.now(UTC)
    if made is None:
        journal.origin = Origin(settings.seed, settings.patients, now)
        return now
    if (made.seed, made.patients) != (settings.seed, settings.patients):
        raise UsageError(
            f"--data {settings.data} belongs to other patients than --seed {settings.seed} "
            f"--patients {settings.patients}",
            hint=f"start it with --seed {made.seed} --patients {made.patients}",
        )
    return made.now


async def _serve(listeners: list[tuple[_Listener, socket.socket]], ready: dict[str, Any]) -> None:
    loop = asyncio.get_running_loop()

    def stop() -> None:
        for listener, _ in listeners:
            listener.should_exit = True

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop)
    running = [
        asyncio.create_task(listener.serve(sockets=[bound])) for listener, bound in listeners
    ]
    while not all(listener.started for listener, _ in listeners):
        if any(task.done() for task in running):
            break
        await asyncio.sleep(0.001)
    else:
        sys.stdout.write(json.dumps(ready) + "\n")
        sys.stdout.flush()
        if _is_pipe(sys.stdin):
            await _watch_standard_input(loop, stop)
    await asyncio.gather(*running)


async def _watch_standard_input(loop: asyncio.AbstractEventLoop, stop: Any) -> None:
    """Calls `stop` at the end of standard input, which comes when the parent is gone."""

    class _End(asyncio.Protocol):
        def connection_lost(self, exc: Exception | None) -> None:
            del exc
            stop()

    await loop.connect_read_pipe(_End, sys.stdin)


def _is_pipe(stream: Any) -> bool:
    """Only a pipe or a socket says by its end that the parent is gone; /dev/null never began."""
    if stream is None or stream.closed:
        return False
    mode = os.fstat(stream.fileno()).st_mode
    return stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode)


def _listener(app: ASGIApp) -> _Listener:
    config = uvicorn.Config(
        app,
        http="h11",
        ws="none",
        lifespan="off",
        log_config=None,
        log_level="warning",
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_graceful_shutdown=_GRACE,
        timeout_keep_alive=_IDLE,
    )
    return _Listener(config)


def _bind(host: str, port: int) -> socket.socket:
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        # With the protocol named, asyncio sets TCP_NODELAY; without it each answer waits 40 ms.
        bound = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind((host, port))
    except (OSError, OverflowError) as error:
        reason = getattr(error, "strerror", None) or error
        raise UsageError(
            f"cannot listen on {host} port {port}: {reason}", hint="choose another --port"
        ) from error
    return bound


def _url(host: str, bound: socket.socket) -> str:
    try:
        # What listens everywhere is named by where it can be reached from here.
        name = "127.0.0.1" if ipaddress.ip_address(host).is_unspecified else host
    except ValueError:
        name = host
    name = f"[{name}]" if ":" in name else name
    return f"http://{name}:{bound.getsockname()[1]}"


def _ready(reference: Reference, credentials: Credentials) -> dict[str, Any]:
    instance = reference.apps[DEFAULT].instance
    users = [
        {
            "username": person.username,
            "name": person.name,
            "password": PASSWORDS[person.username],
            "patients": list(person.patients),
            "fhir_user": person.fhir_user,
        }
        for person in reference.people.values()
    ]
    return {
        "event": "ready",
        # By name: a plain import would count as one of all that the package re-exports.
        "version": import_module("harness").__version__,
        "pid": os.getpid(),
        "public_url": reference.public_url,
        "fhir_base": instance.fhir_base,
        "storage": reference.storage_url,
        "smart": instance.smart.value,
        "credentials": dict(credentials.values),
        "users": users,
    }
