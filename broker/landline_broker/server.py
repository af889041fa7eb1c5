"""The broker as one object: starts its threads, knows its invite, ends them.

``with Broker(settings) as broker: broker.invite`` is all that a program needs.
"""

import logging
import os
import random
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from functools import partial
from types import TracebackType
from typing import Final, Self

import zmq

from landline_broker import zap
from landline_broker.address import Listen, invite_host
from landline_broker.dispatcher import Context, Dispatcher, bound_router
from landline_broker.handlers import Services
from landline_broker.keys import KeyPair, load_or_make_keys, prepare_data_dir, write_invite
from landline_broker.lane import Lane
from landline_broker.passwords import Passwords
from landline_broker.settings import Settings
from landline_broker.worker import work
from landline_protocol.invite import Invite
from landline_sql import schema
from landline_sql.errors import SchemaError, Unavailable
from landline_sql.store import Store

FINISH_S: Final = 1.5
"""How long requests in hand have when the broker stops."""

_INTERRUPT_S: Final = 0.5
_START_S: Final = 10.0
_SWEEP_S: Final = 300.0
_CONTROL: Final = "inproc://landline-control"

log = logging.getLogger("landline.broker")


class CannotListen(Exception):
    """The address to listen on cannot be used; the text says what to do."""


class Broker:
    """A running broker. ``start`` and ``stop`` may be repeated."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.ended = threading.Event()
        """Set when the broker has to be stopped, for one because ``failed``."""
        self.failed = False
        """Whether a thread of the broker ended before its time."""
        self._stopping = threading.Event()
        self._threads: list[threading.Thread] = []
        self._context_threads: list[threading.Thread] = []  # these end with the context
        self._context: Context | None = None
        self._store: Store | None = None
        self._invite: Invite | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    @property
    def invite(self) -> Invite:
        """What peers need to reach this broker."""
        if self._invite is None:
            raise RuntimeError("the broker has not started")
        return self._invite

    @property
    def store(self) -> Store:
        """The store that the broker works with."""
        if self._store is None:
            raise RuntimeError("the broker has not started")
        return self._store

    def start(self) -> None:
        """Open everything and accept requests.

        Raises:
            DataDirError, BadDatabase, SchemaError, Unavailable, CannotListen
        """
        if self._context is not None:
            return
        try:
            self._start()
        except BaseException:
            self.stop()
            raise

    def stop(self) -> bool:
        """Take nothing more, finish what is in hand, close everything.

        False if a thread could not be ended in time; nothing else can be done
        about it than to end the process.
        """
        self._stopping.set()
        if self._context is not None:
            if self._threads and not self._end_threads(self._context):
                return False
            self._context.term()
            _join(self._context_threads, time.monotonic() + _INTERRUPT_S)
            self._context = None
        if self._store is not None:
            self._store.close()
            self._store = None
        self.ended.clear()
        return True

    def _start(self) -> None:
        settings = self.settings
        self._stopping.clear()
        self.failed = False
        if prepare_data_dir(settings.data_dir):
            log.warning("%s was open to other users: closed it", settings.data_dir)
        keys = load_or_make_keys(settings.data_dir)
        self._store = store = opened_store(settings)
        services = Services(store, Passwords(settings.bcrypt_cost), settings.name)
        self._context = context = zmq.Context()
        self._admit(context)
        port = self._dispatch(context, keys, services)
        self._run("sweeper", lambda: _sweep(store, self._stopping), self._threads)
        host = invite_host(settings.listen, settings.advertise)
        self._invite = Invite(host, port, keys.octets)
        write_invite(settings.data_dir, str(self._invite))
        url = store.database.url.render_as_string(hide_password=True)
        log.info("listening on %s port %d, with %s", settings.listen.host, port, url)

    def _admit(self, context: Context) -> None:
        bound = threading.Event()
        self._run("zap", lambda: zap.admit(context, bound.set), self._context_threads)
        if not bound.wait(_START_S):
            raise RuntimeError("the ZAP handler did not start")

    def _dispatch(self, context: Context, keys: KeyPair, services: Services) -> int:
        """Start the dispatcher, then its workers; return the port it listens on."""
        auth = _endpoints("auth", self.settings.auth_workers())
        is_sqlite = services.store.database.is_sqlite
        directory = _endpoints("directory", self.settings.directory_workers(is_sqlite=is_sqlite))
        listening: Future[int] = Future()
        self._run(
            "dispatcher",
            lambda: _serve(context, self.settings, keys, (auth, directory), listening),
            self._threads,
        )
        port = listening.result(_START_S)
        for endpoint in (*auth, *directory):
            name = endpoint.removeprefix("inproc://")
            self._run(name, partial(work, context, endpoint, services), self._threads)
        return port

    def _run(self, name: str, target: Callable[[], None], among: list[threading.Thread]) -> None:
        def run() -> None:
            try:
                target()
            except Exception:
                log.critical("the %s thread failed", name, exc_info=True)
            finally:
                if not self._stopping.is_set():
                    self.failed = True
                    self.ended.set()

        thread = threading.Thread(target=run, name=f"landline-{name}")
        among.append(thread)
        thread.start()

    def _end_threads(self, context: Context) -> bool:
        with context.socket(zmq.PUSH) as control:
            control.linger = 0
            control.connect(_CONTROL)
            with suppress(zmq.Again):  # the dispatcher has ended already
                control.send(b"", zmq.NOBLOCK)
            deadline = time.monotonic() + FINISH_S
            if not _join(self._threads, deadline) and self._store is not None:
                self._store.interrupt()
            return _join(self._threads, deadline + _INTERRUPT_S)


def opened_store(settings: Settings) -> Store:
    """Return the store of a database that has this version's tables.

    Raises:
        BadDatabase, SchemaError, Unavailable
    """
    database = settings.open_database()
    try:
        if database.is_sqlite:
            schema.migrate(database.engine)
        elif not schema.is_current(database.engine):
            raise SchemaError(
                "the database's tables are not those of this version: run"
                " landline-broker migrate with the same --database"
            )
    except BaseException:
        database.close()
        raise
    return Store(database, settings.rules)


def _serve(
    context: Context,
    settings: Settings,
    keys: KeyPair,
    endpoints: tuple[list[str], list[str]],
    listening: "Future[int]",
) -> None:
    """Be the dispatcher: make its sockets, tell the port, run."""
    try:
        router = bound_router(context, settings.listen, keys, settings.wire)
    except zmq.ZMQError as error:
        listening.set_exception(CannotListen(_why(settings.listen, error)))
        return
    control = context.socket(zmq.PULL)
    control.bind(_CONTROL)
    auth = Lane(context, endpoints[0], settings.auth_lane)
    directory = Lane(context, endpoints[1], settings.directory_lane)
    last = router.getsockopt_string(zmq.LAST_ENDPOINT)
    listening.set_result(int(last.rpartition(":")[2]))
    Dispatcher(router, control, auth, directory).run(FINISH_S)


def _sweep(store: Store, stopping: threading.Event) -> None:
    """Clear away now and then what has expired, until the broker stops."""
    try:
        while not stopping.wait(_SWEEP_S * random.uniform(0.5, 1.5)):
            with suppress(Unavailable):
                store.sweep()
    finally:
        store.release()


def _endpoints(lane: str, workers: int) -> list[str]:
    return [f"inproc://{lane}-{number}" for number in range(1, workers + 1)]


def _join(threads: list[threading.Thread], deadline: float) -> bool:
    """Wait for threads to end; drop those that have; whether all have."""
    for thread in list(threads):
        thread.join(max(0.0, deadline - time.monotonic()))
        if not thread.is_alive():
            threads.remove(thread)
    return not threads


def _why(listen: Listen, error: zmq.ZMQError) -> str:
    if error.errno == zmq.EADDRINUSE:
        return f"{listen} is in use: choose another port with --listen tcp://*:PORT"
    return (
        f"cannot listen on {listen}: {os.strerror(error.errno or 0)}; choose another with --listen"
    )
