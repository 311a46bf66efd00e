"""The declarations and hooks of a user class, and what Locust and its sockets ask of it."""

from __future__ import annotations

import asyncio
import time
import traceback
import weakref
from collections.abc import Callable, Collection, Hashable, Iterator, Set
from typing import Any, ClassVar, Final

from locust.exception import StopTest, StopUser

from wsload.errors import UsageError, WorkloadError, WsloadError
from wsload.load.engine.watched import current_watch
from wsload.load.locust.handle import UserHandle
from wsload.load.users.context.control_flow import parts
from wsload.load.users.context.feed import Feed, Order, feeds_of
from wsload.load.users.context.process import ProcessContext
from wsload.load.users.declared import check_class
from wsload.load.users.http import Http
from wsload.load.users.life import Life
from wsload.load.users.locust_compat import LocustUser
from wsload.load.users.sockets.extra import ExtraSocket
from wsload.load.users.sockets.opening import READ_AGAIN, Opening, Pairs
from wsload.load.users.sockets.socket import Socket
from wsload.load.users.waits import OpenWait

LAST_WORDS_NS: Final = 10_000_000
"""A user that can't continue is cancelled this long after its tasks were told why."""


class DeclaredUser(LocustUser):
    """The settings and hooks of a user class, between Locust (on the hub) and its sockets."""

    abstract = True

    url: str = ""
    """The URL to open, or a path on ``--host``; by default ``--host`` itself. ``--ws-url`` overrides it."""
    subprotocols: tuple[str, ...] = ()
    """Offered in this order; if there are any, the server must choose one. ``--ws-subprotocol`` overrides them."""
    headers: Pairs = ()
    """Headers of every opening request; they replace those of ``--ws-header`` with the same name."""
    cookies: Pairs = ()
    """Cookies of every opening request; they replace those of ``--ws-cookie`` with the same name."""
    auto_connect: bool = True
    """Whether the connection is opened before `on_start`; otherwise call `connect` yourself."""
    reconnect: bool | None = None
    """Whether a connection that fails or is dropped is opened again; None to follow ``--ws-reconnect``."""
    expected_closes: Set[int] = frozenset()
    """Close codes with which the server may end a connection without causing a failure, once `on_connect` has returned.
    """
    overlap: bool = True
    """In an open workload: whether a task that is due starts while the previous one is still running. Otherwise it
    waits for its turn, but its response time still counts from when it was due, so the wait counts as the server's,
    except for what wsload itself added to it."""

    _feeds: ClassVar[dict[str, Feed[Any]]] = {}
    """The class's feeds, by attribute name."""
    _subject: ClassVar[str] = "task"
    """The name under which unsent requests are counted as failures if their own name is not known yet."""
    # An object of more than 30 attributes outside of slots gets a dict of 1.5 KiB.
    __slots__ = ("_context", "_extra", "_further", "_http", "_life", "_socket")

    def __init_subclass__(cls, **settings: Any) -> None:
        super().__init_subclass__(**settings)
        for base in cls.__mro__:
            for name in READ_AGAIN:
                if isinstance(given := vars(base).get(name), Iterator):
                    setattr(base, name, tuple(given))
        if isinstance(cls.subprotocols, str):
            cls.subprotocols = (cls.subprotocols,)
        cls.expected_closes = frozenset(cls.expected_closes)
        cls._feeds = feeds_of(cls)
        check_class(cls)

    def __init__(self, environment: Any) -> None:
        super().__init__(environment)
        self._context = ProcessContext.of(environment)
        wait = getattr(type(self), "wait_time", None)
        self._life = Life(self, self._context, wait.schedule if isinstance(wait, OpenWait) else None)
        self._socket: Any = self._make_socket()
        """A `Socket`, or a protocol's own kind of one."""
        self._extra: list[Socket] | None = None
        self._further: weakref.WeakSet[ExtraSocket] | None = None  # created when needed
        self._http: Http | None = None

    def _make_socket(self) -> Any:
        return Socket(self, self._context, main=True, reconnects=self._reconnects, **self._hooks())

    def _hooks(self) -> dict[str, Any]:
        cls = type(self)
        return {
            "key_of": self.key_of if cls.key_of is not DeclaredUser.key_of else None,
            "on_message": self.on_message if cls.on_message is not DeclaredUser.on_message else None,
        }

    @property
    def _reconnects(self) -> bool:
        return self._context.settings.reconnect if self.reconnect is None else self.reconnect

    # What a user class may define

    async def on_start(self) -> None:  # type: ignore[override]  # async is the whole point
        """Called once connected, before the first task; where `reconnect` holds, again after a `WorkloadError`."""

    async def on_stop(self) -> None:
        """Called when the user stops, while it is still connected, if `on_start` was called."""

    async def on_opening(self) -> Opening | None:
        """Called before every opening, including reconnections: log in over HTTP here, and return what to open."""
        return None

    async def on_connect(self) -> None:
        """Called after every successful opening, including reconnections: log in here."""

    def on_close(self, code: int, reason: str) -> None:
        """Called when the connection is gone, with the close code (1006 if no close frame came) and reason."""

    def on_error(self, error: WorkloadError) -> None:
        """Called when an opening has failed, after it was counted."""

    def on_message(self, message: Any) -> None:
        """Override it to get every message that answers no request; then `receive` can't be used."""

    def key_of(self, message: Any) -> Hashable:
        """Override it to use `request`: the key of the request that a message answers, or None if it answers none."""
        return None

    # Called for Locust, on the hub

    def _begin(self) -> UserHandle:
        handle = UserHandle(self)
        if self._context.refused:
            handle.finish(None, None)
        else:
            self._context.arrivals.add(
                lambda due_ns: self._context.bridge.submit(self._life.live(due_ns), handle)
            )
        return handle

    def _stop_soon(self) -> None:
        self._context.engine.call(self._life.stop)

    def _single_user_ended(self) -> None:
        self._context.on_single_user_end()

    def _killed(self, again: bool) -> None:
        self._context.engine.call(*((self._abort,) if again else (self._kill,)))

    def _kill(self) -> None:
        self._life.stop(kill=True)

    def _abort(self) -> None:
        for socket in self._sockets():
            socket.abort()

    # Called by the life and the sockets, on the loop

    def _sockets(self) -> tuple[Any, ...]:
        return self._socket, *(self._extra or ())

    async def _take_rows(self) -> None:
        """Takes this user's row of each feed. Raises `StopUser`, counted, if a feed has no row left."""
        for attribute, feed in self._feeds.items():
            number = 0 if feed.order is Order.RANDOM else await self._context.rows.number(feed.id)
            try:
                setattr(self, attribute, feed.row(number))
            except UsageError as error:
                recorder = self._context.engine.recorder
                recorder.failed(f"feed {attribute}", "no row left", detail=str(error))
                recorder.count.users_ended += 1
                self._context.report_user_error(self, error, f"{type(self).__name__}, {attribute}: {error}")
                raise StopUser from None

    async def _undo_start(self, extra: Collection[Socket]) -> None:
        """Closes what `on_start` opened, other than these further connections, so that it can be tried again."""
        sockets = [socket for socket in self._extra or () if socket not in extra]
        if not self.auto_connect:
            sockets.append(self._socket)
        await asyncio.gather(*(socket.close() for socket in sockets))

    async def _depart(self) -> None:
        """Waits up to ``--ws-drain`` for outstanding answers, then closes the user's connections, all at once.

        Counts what nobody has noticed: openings without an await, and exceptions in background tasks.
        """
        for further in list(self._further or ()):
            further.note_if_forgotten()
        try:
            await asyncio.gather(
                *(socket.drain(self._context.settings.drain_s) for socket in self._sockets())
            )
            await self._context.engine.own_turn()
            await asyncio.gather(*(socket.close() for socket in self._sockets()))
            if self._http is not None:
                await self._http.close()
        finally:
            if (watch := current_watch.get()) is not None:
                watch.look()

    async def _asked(self, opening: Opening, *, main: bool) -> Opening:
        found = await self.on_opening() if main else None
        if main and self._http is not None:
            await self._http.close()
        if found is not None:
            if not isinstance(found, Opening):
                raise UsageError(f"on_opening returns an Opening or None, not {type(found).__name__}")
            opening = found.over(opening)
        offered = self._context.settings.subprotocols
        usual = Opening(
            headers=self.headers,
            cookies=self.cookies,
            subprotocols=tuple(self.subprotocols) if offered is None else offered,
        )
        return opening.over(usual)

    def _resolve(self, url: str | None) -> str:
        return self._context.settings.resolve(url, self.url, self.host)

    def _ended(self) -> None:
        engine = self._context.engine
        engine.recorder.count.users_ended += 1
        # Tasks that wait for an answer get `ConnectionLost` before they are cancelled.
        self._life.stop()
        engine.timers.at(time.monotonic_ns() + LAST_WORDS_NS, self._kill)

    def _call(self, hook: Callable[..., Any], *args: Any) -> Any:
        try:
            return hook(*args)
        except BaseException as error:
            self._raised(getattr(hook, "__name__", "a hook"), error)
        return None

    def _raised(self, what: str, error: BaseException) -> None:
        for each in parts(error):
            if isinstance(each, WorkloadError):
                continue  # counted when it was raised
            if isinstance(each, StopTest | SystemExit | KeyboardInterrupt):
                ends = "sys.exit" if isinstance(each, SystemExit) else type(each).__name__
                self._context.quit(f"{type(self).__name__}, {what}: {ends}", each)
            elif not isinstance(each, StopUser):
                self._report(what, each)
                continue
            self._life.stop(kill=True)

    def _report(self, what: str, error: BaseException) -> None:
        self._context.engine.recorder.failed(what, type(error).__name__, detail=str(error))
        if isinstance(error, WsloadError):
            text = f"{type(self).__name__}, {what}: {error}"
        else:
            text = "".join(traceback.format_exception(error))
        self._context.report_user_error(self, error, text)
