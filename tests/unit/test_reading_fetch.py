"""Requests for blocks: neighbours together, distant ones apart."""

from quadmosaic.reading.blocks import Block
from quadmosaic.reading.byte_cache import ByteCache
from quadmosaic.reading.fetch import GAP, MAX_REQUEST, requests_for


def block(start: int, stop: int, column: int = 0) -> Block:
    return Block(level=0, plane=0, row=0, column=column, start=start, stop=stop)


def test_neighbours_are_fetched_together_in_file_order() -> None:
    first, second, third = block(100, 200), block(200, 350), block(350 + GAP, 900 + GAP)
    (request,) = requests_for([third, first, second])
    assert (request.start, request.stop) == (100, 900 + GAP)
    assert request.spans == (first, second, third)


def test_distant_blocks_are_fetched_apart() -> None:
    far = 201 + GAP
    assert [(r.start, r.stop) for r in requests_for([block(100, 200), block(far, far + 9)])] == [
        (100, 200),
        (far, far + 9),
    ]


def test_sparse_blocks_are_not_fetched() -> None:
    assert requests_for([block(0, 0), block(7, 7)]) == []


def test_a_long_row_of_blocks_is_shared_by_several_requests() -> None:
    size = MAX_REQUEST // 3
    requests = requests_for(block(i * size, (i + 1) * size) for i in range(8))
    assert all(request.stop - request.start <= MAX_REQUEST for request in requests)
    assert len(requests) == 3


def test_blocks_that_share_their_bytes_are_in_one_request() -> None:
    (request,) = requests_for([block(100, 200, column=1), block(100, 200, column=2)])
    assert (request.start, request.stop, len(request.spans)) == (100, 200, 2)


def test_the_cache_drops_the_least_recently_used_beyond_its_bytes() -> None:
    cache: ByteCache[str, str] = ByteCache(capacity=100)
    for key in "abc":
        cache.put(key, key.upper(), weight=40)
    assert (cache.get("a"), cache.get("b"), cache.get("c")) == (None, "B", "C")
    cache.get("b")
    cache.put("d", "D", weight=40)
    assert (cache.get("b"), cache.get("c"), cache.weight) == ("B", None, 80)
    cache.put("huge", "H", weight=101)
    assert (cache.get("huge"), cache.get("b")) == (None, "B")
    cache.put("b", "B", weight=10)
    cache.drop("d")
    cache.drop("unknown")
    assert cache.weight == 10
