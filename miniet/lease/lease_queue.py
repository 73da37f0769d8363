"""Which lease runs out next: a binary heap with one element per lease.

A renewal moves the element of its lease in place. The standard library's `heapq`
cannot do that; pushing a second element instead would let the heap grow with every
keep-alive, where etcd's holds one element per lease however often it is renewed.
"""

from collections.abc import Iterable

from miniet.errors import InvariantError


class QueueElement:
    """When to look at a lease again. Memory: 56 bytes and the time."""

    __slots__ = ("lease_id", "position", "time_s")

    def __init__(self, lease_id: int, time_s: float, position: int) -> None:
        self.lease_id = lease_id
        self.time_s = time_s  # monotonic clock
        self.position = position  # Invariant: the queue holds it at this position


class LeaseQueue:
    """A min-heap of elements by time; equal times in heap order.

    Elements move as in Go's container/heap, so equal times leave in etcd's order.

    Source: etcd v3.4.9 lease/lease_queue.go, LeaseQueue.
    """

    __slots__ = ("_heap",)

    def __init__(self) -> None:
        self._heap: list[QueueElement] = []

    def __len__(self) -> int:
        return len(self._heap)

    def peek(self) -> QueueElement | None:
        """Return the earliest element, None if there is none."""
        return self._heap[0] if self._heap else None

    def push(self, lease_id: int, time_s: float) -> QueueElement:
        """Add an element. Cost: O(log n)."""
        element = QueueElement(lease_id, time_s, len(self._heap))
        self._heap.append(element)
        self._sift_up(element)
        return element

    def pop(self) -> QueueElement:
        """Take the earliest element, which must exist. Cost: O(log n)."""
        top = self._heap[0]
        last = self._heap.pop()
        if last is not top:
            last.position = 0
            self._heap[0] = last
            self._sift_down(last)
        return top

    def move(self, element: QueueElement, time_s: float) -> None:
        """Give an element of this queue another time. Cost: O(log n)."""
        position = element.position
        element.time_s = time_s
        self._sift_down(element)
        if element.position == position:
            self._sift_up(element)

    def fill(self, pairs: Iterable[tuple[int, float]]) -> list[QueueElement]:
        """Replace all elements by those of (lease id, time).

        A sorted list is a heap already, and sorting is C.
        """
        self._heap = [QueueElement(lease_id, time_s, 0) for lease_id, time_s in pairs]
        self._heap.sort(key=lambda element: element.time_s)
        for position, element in enumerate(self._heap):
            element.position = position
        return self._heap.copy()

    def _sift_up(self, element: QueueElement) -> None:
        heap, time_s, position = self._heap, element.time_s, element.position
        while position > 0:
            above = (position - 1) >> 1
            parent = heap[above]
            if parent.time_s <= time_s:
                break
            heap[position] = parent
            parent.position = position
            position = above
        heap[position] = element
        element.position = position

    def _sift_down(self, element: QueueElement) -> None:
        heap, time_s, position = self._heap, element.time_s, element.position
        count = len(heap)
        below = 2 * position + 1
        while below < count:
            child = heap[below]
            if below + 1 < count and heap[below + 1].time_s < child.time_s:
                below += 1
                child = heap[below]
            if time_s <= child.time_s:
                break
            heap[position] = child
            child.position = position
            position, below = below, 2 * below + 1
        heap[position] = element
        element.position = position

    def _check(self) -> None:
        for position, element in enumerate(self._heap):
            if element.position != position:
                raise InvariantError(f"element at {position} says {element.position}")
            parent = self._heap[(position - 1) >> 1] if position else element
            if parent.time_s > element.time_s:
                raise InvariantError(f"element at {position} is before its parent")

    def __repr__(self) -> str:
        return f"<LeaseQueue elements={len(self)}>"


class LeaseExpiredNotifier:
    """The queue together with the way from a lease to its element.

    A revoked lease leaves its element behind, as in etcd; it is found and dropped
    when its time comes, or used again by a lease with the same id.

    Source: etcd v3.4.9 lease/lease_queue.go, LeaseExpiredNotifier.
    """

    __slots__ = ("_elements", "_queue")

    def __init__(self) -> None:
        self._queue = LeaseQueue()
        self._elements: dict[int, QueueElement] = {}

    def __len__(self) -> int:
        return len(self._queue)

    def register_or_update(self, lease_id: int, time_s: float) -> None:
        """Look at the lease at `time_s`, and not when said before.

        Args:
            lease_id: kept; the lease's own int, not a copy.
            time_s: monotonic clock; kept.
        """
        element = self._elements.get(lease_id)
        if element is None:
            self._elements[lease_id] = self._queue.push(lease_id, time_s)
        else:
            self._queue.move(element, time_s)

    def peek(self) -> tuple[int, float] | None:
        """Return the next (lease id, time), None if there is none."""
        element = self._queue.peek()
        return None if element is None else (element.lease_id, element.time_s)

    def unregister(self) -> None:
        """Drop the next element, which must exist."""
        del self._elements[self._queue.pop().lease_id]

    def fill(self, pairs: Iterable[tuple[int, float]]) -> None:
        """Replace everything by these (lease id, time), each lease once."""
        self._elements = {e.lease_id: e for e in self._queue.fill(pairs)}

    def time_of(self, lease_id: int) -> float | None:
        """Return when the lease is looked at, None if it is not registered."""
        element = self._elements.get(lease_id)
        return None if element is None else element.time_s

    def _check(self) -> None:
        self._queue._check()
        if len(self._elements) != len(self._queue):
            raise InvariantError(f"{len(self._elements)} in the map, not {len(self)}")
        for lease_id, element in self._elements.items():
            if element.lease_id != lease_id:
                raise InvariantError(f"lease {lease_id:#x} finds {element.lease_id:#x}")

    def __repr__(self) -> str:
        return f"<LeaseExpiredNotifier elements={len(self)}>"
