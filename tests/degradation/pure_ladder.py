"""The pure parts of one ladder put together, with builders for what it hears."""

from dataclasses import dataclass, field

from pointsman.contracts.degradation import SetOverride
from pointsman.contracts.events import LevelChanged, Pressure
from pointsman.contracts.levels import Level
from pointsman.contracts.telemetry import DeviceReading, FamilyLoad, PoolSample, SlotLoad
from pointsman.degradation.domain.rules import Rules
from pointsman.degradation.domain.stand import BOTTOM, Stand
from pointsman.degradation.domain.steps import Steps
from pointsman.degradation.domain.timers import Timers

NOON = 1_767_268_800.0
CALM = Pressure(predicted_wait_s=0.0, load_at_best=0.1, queued=0)


def waiting(wait_s: float | None, load: float | None = 2.0) -> Pressure:
    """An overload that is seen by its wait; None: unknown."""
    unknown = ("pool",) if wait_s is None or load is None else ()
    return Pressure(predicted_wait_s=wait_s, load_at_best=load, queued=10, unknown=unknown)


@dataclass
class PureLadder:
    """A ladder that looks when it is told to."""

    rules: Rules = field(default_factory=Rules)
    stand: Stand = BOTTOM
    at: float = NOON
    changes: list[LevelChanged] = field(default_factory=list[LevelChanged])

    def __post_init__(self) -> None:
        self.steps = Steps("main", self.rules)
        self.timers = Timers(self.rules)

    def look(self, pressure: Pressure, after_s: float = 1.0) -> LevelChanged | None:
        """The step that is taken after some time, if any."""
        self.at += after_s
        self.timers.observe(pressure, self.at)
        step = self.steps.by_signals(self.stand, self.timers, pressure, at=self.at, applied_to=7)
        if step is not None:
            self.stand = self.stand.evolve(step)
            self.changes.append(step)
        return step

    def hears(self, pressure: Pressure, seconds: int) -> None:
        """The same every second."""
        for _ in range(seconds):
            self.look(pressure)


def override(
    level: Level = Level.SHED, *, ttl_s: float = 60.0, pool: str = "main", id: str = "one"
) -> SetOverride:
    """Ada holds a ladder at a level."""
    return SetOverride(
        command_id=id, pool=pool, level=level, ttl_s=ttl_s, by="ada", reason="a drill"
    )


def sample(  # noqa: PLR0913 - one parameter per figure
    at: float = NOON,
    *,
    accepted: int = 0,
    wait_s: float | None = 0.0,
    queued: int = 0,
    kept_back: int = 0,
    family: str = "summarize",
    best_slots: int = 10,
    best_service_s: float = 0.1,
    devices: tuple[str, ...] = (),
    applied_to: int = 0,
) -> PoolSample:
    """A pool with one family whose best variants carry 100 tasks a second."""
    load = FamilyLoad(
        family=family,
        queued=queued,
        accepted=accepted,
        best="large" if best_slots else "",
        best_slots=best_slots,
        best_service_s=best_service_s,
        predicted_wait_s=wait_s,
        kept_back=kept_back,
    )
    slots = tuple(SlotLoad(device=name, state="ready", slots=4, occupied=0) for name in devices)
    return PoolSample(
        pool="main",
        at=at,
        applied_to=applied_to,
        queued=queued,
        granted=0,
        families=(load,),
        devices=slots,
    )


def reading(
    device: str = "gpu-0",
    at: float = NOON,
    *,
    utilisation: float | None = None,
    memory: float | None = None,
    state: str = "measured",
) -> DeviceReading:
    return DeviceReading(
        device=device,
        at=at,
        source="nvml",
        state=state,
        utilisation=utilisation,
        memory=memory,
        memory_total_mib=1000.0,
        sample=f"sample-of-{device}",
    )
