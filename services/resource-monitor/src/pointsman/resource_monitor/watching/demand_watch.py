"""Closes buckets of demand, and records a forecast for each family at the end of each."""

from typing import Final

from pointsman.resource_monitor import telemetry
from pointsman.resource_monitor.domain.demand import BUCKET_S, BUCKETS, forecast
from pointsman.resource_monitor.domain.monitor import Monitor
from pointsman.resource_monitor.watching.feed_window import FeedWindow
from pointsman.resource_monitor.watching.recording import Recording
from pointsman.runtime.clock import Clock

# What was accepted at the very end of a bucket has come through the feed by then.
_GRACE_S: Final = 1.0


class DemandWatch:
    """A bucket is measured only once the feed is complete beyond its end."""

    def __init__(
        self, window: FeedWindow, monitor: Monitor, recording: Recording, clock: Clock
    ) -> None:
        self._window = window
        self._monitor = monitor
        self._recording = recording
        self._clock = clock

    async def look(self) -> None:
        """Close what can be closed; a log that is away keeps the bucket open."""
        counts = self._window.accepted
        while self._over(counts.end):
            if self._clock.wall() - counts.end <= BUCKETS * BUCKET_S:
                for family in {*counts.open_counts, *self._monitor.outlooks}:
                    if not await self._forecast(family, counts.end):
                        return
            counts.close()

    def _over(self, end: float) -> bool:
        now = self._clock.wall()
        complete_at = self._window.progress.complete_at
        late = now - end > BUCKETS * BUCKET_S
        return late or (now >= end + _GRACE_S and complete_at is not None and complete_at >= end)

    async def _forecast(self, family: str, end: float) -> bool:
        before = self._monitor.outlooks.get(family)
        if before is not None and before.latest.at >= end:
            return True
        event = forecast(
            family,
            before,
            self._window.accepted.open_counts.get(family, 0) / BUCKET_S,
            end=end,
            applied_to=self._window.progress.position,
        )
        if event is None:
            return True
        if not await self._recording.record(
            "forecast", family, event, once=f"forecast/{family}/{end:.0f}"
        ):
            return False
        telemetry.FORECASTS.add(1, {"family": family})
        for method, error in (("ewma", event.ewma_wape), ("naive", event.naive_wape)):
            if error is not None:
                telemetry.FORECAST_ERROR.set(error, {"family": family, "method": method})
        return True
