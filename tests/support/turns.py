"""Steps of two actors on one store in an order that a test chooses, each call of the store being one step."""

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from threading import Semaphore, Thread

from connectors.objects.store import Found, ObjectInfo, ObjectStore


class Actor:
    """A thread that waits for its turn before each call of the store."""

    def __init__(self, act: Callable[[], object]) -> None:
        self._act = act
        self._turn, self._waits = Semaphore(0), Semaphore(0)
        self._thread = Thread(target=self._run, daemon=True)
        self.has_ended = False
        self.error: BaseException | None = None

    def start(self) -> None:
        """Run until the first call of the store."""
        self._thread.start()
        self._waits.acquire()

    def wait(self) -> None:
        """Wait for the next turn; called in the thread of the actor."""
        self._waits.release()
        self._turn.acquire()

    def step(self) -> None:
        """Give a turn, and return when the next one is waited for, or the actor has ended."""
        if not self.has_ended:
            self._turn.release()
            self._waits.acquire()

    def end(self) -> None:
        """Give turns until the actor has ended, and raise its error."""
        while not self.has_ended:
            self.step()
        self._thread.join()
        if self.error:
            raise self.error

    def _run(self) -> None:
        try:
            self._act()
        except BaseException as error:
            self.error = error
        self.has_ended = True
        self._waits.release()


class TurnStore(ObjectStore):
    """A store with calls that wait for turns."""

    def __init__(self, store: ObjectStore, wait: Callable[[], None]) -> None:
        super().__init__(store.address)
        self._store = store
        self._wait = wait

    def put(self, key: str, data: bytes | Path) -> None:
        self._wait()
        self._store.put(key, data)

    def put_new(self, key: str, data: bytes) -> str | None:
        self._wait()
        return self._store.put_new(key, data)

    def put_instead(self, key: str, data: bytes, etag: str) -> str | None:
        self._wait()
        return self._store.put_instead(key, data, etag)

    def get(self, key: str) -> Found | None:
        self._wait()
        return self._store.get(key)

    def list(self, prefix: str = "") -> Iterator[ObjectInfo]:
        self._wait()
        yield from list(self._store.list(prefix))

    def delete(self, keys: Iterable[str]) -> None:
        self._wait()
        self._store.delete(keys)

    def _chunks(self, key: str, size: int) -> Iterator[bytes | memoryview]:
        self._wait()
        yield from self._store._chunks(key, size)
