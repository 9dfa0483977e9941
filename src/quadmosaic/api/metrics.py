"""Metrics for Prometheus: requests by route, seconds by step, and what reading took."""

from prometheus_client import CollectorRegistry, Counter, Histogram

from quadmosaic.api.timing import Answered
from quadmosaic.domain.trace import Step

STEP_BUCKETS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 25.0)
"""Seconds; a step of a tile takes from half a millisecond to the deadline."""


class Metrics:
    """Counts in a registry what it is told of."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._requests = Counter("quadmosaic_requests", "Requests", ["route", "status"], registry=registry)
        self._seconds = Histogram("quadmosaic_request_seconds", "Seconds a request took", ["route"], registry=registry)
        self._partial = Counter(
            "quadmosaic_skipped_granules_replies", "Image replies with a granule missing, or cut", registry=registry
        )
        steps = Histogram(
            "quadmosaic_step_seconds", "Seconds a step took in one request", ["step"], registry=registry,
            buckets=STEP_BUCKETS,
        )  # fmt: skip
        self._by_step = {step: steps.labels(step) for step in Step}
        self._fetches = Counter("quadmosaic_source_requests", "Byte ranges asked for", registry=registry)
        self._bytes = Counter("quadmosaic_source_bytes", "Bytes fetched", registry=registry)
        blocks = Counter(
            "quadmosaic_blocks", "Blocks: decoded, kept in memory, or shared with another request", ["source"],
            registry=registry,
        )  # fmt: skip
        self._decoded, self._from_memory, self._shared = map(blocks.labels, ("decoded", "memory", "shared"))
        granules = Counter(
            "quadmosaic_granules", "Granules: read fast, left out as covered, by fallback, or failed", ["outcome"],
            registry=registry,
        )  # fmt: skip
        self._fast, self._covered, self._fallback, self._failed = map(
            granules.labels, ("fast", "covered", "fallback", "failed")
        )
        self._fallbacks = Counter(
            "quadmosaic_fallbacks", "Granules that GDAL read, and why", ["reason"], registry=registry
        )
        headers = Counter(
            "quadmosaic_headers", "Headers scanned for want of a record, files opened from their record", ["source"],
            registry=registry,
        )  # fmt: skip
        self._scanned, self._opened = map(headers.labels, ("scan", "record"))

    def observe(self, answered: Answered) -> None:
        """Count one request."""
        self._requests.labels(answered.route, answered.status).inc()
        self._seconds.labels(answered.route).observe(answered.seconds)
        if answered.is_partial:
            self._partial.inc()
        for step, seconds in answered.trace.seconds.items():
            self._by_step[step].observe(seconds)
        tally = answered.trace.tally
        for counter, count in (
            (self._fetches, tally.requests),
            (self._bytes, tally.fetched_bytes),
            (self._decoded, tally.blocks),
            (self._from_memory, tally.cached_blocks),
            (self._shared, tally.shared_blocks),
            (self._fast, tally.fast),
            (self._covered, tally.covered),
            (self._failed, tally.failed),
            (self._scanned, tally.scanned),
            (self._opened, tally.opened),
        ):
            if count:
                counter.inc(count)
        for reason, count in tally.fallbacks.items():
            self._fallback.inc(count)
            self._fallbacks.labels(reason).inc(count)
