"""What a pool decides with: the parameters of its policy, as the log last set them."""

from uuid import UUID

from pointsman.contracts.decided import Decided
from pointsman.contracts.events import PolicySet
from pointsman.contracts.message import PriorityClass
from pointsman.contracts.streams import stream_id
from pointsman.policy.order import allowed_boost
from pointsman.policy.parameters import UNTOLD, Parameters, config_of, from_figures
from pointsman.scheduler.domain.fleet import Devices
from pointsman.scheduler.domain.waiting import Waiting


class Policy:
    """The parameters of one pool, and what they change of its devices and queues."""

    def __init__(self, pool: str, devices: Devices, waiting: Waiting) -> None:
        self.parameters = UNTOLD
        self.windows = UNTOLD.windows_by_class()
        self.config = config_of(UNTOLD)
        self.event: PolicySet | None = None
        """What set them; None: nothing ever did."""
        self._pool = pool
        self._devices = devices
        self._waiting = waiting

    def evolve(self, _: int, event: PolicySet) -> None:
        """Other parameters hold from here on; keys that were given stay as they are."""
        if event.pool != self._pool:
            return
        self.event, self.parameters = event, from_figures(event.figures)
        self.windows = self.parameters.windows_by_class()
        self.config = config_of(self.parameters)
        self._waiting.classes.tune(self.parameters.least_gap_s)
        self._devices.tune(self.parameters.swap_share, self.parameters.credit_cap_loads)

    def allowed_boost(self, priority_class: PriorityClass, boost_s: float) -> float:
        """The part of a requested boost that counts."""
        return allowed_boost(priority_class, boost_s, self.windows, self.parameters.max_boost_s)

    def restore(self, event: PolicySet | None) -> None:
        """Go on from what a snapshot kept."""
        if event is not None:
            self.evolve(0, event)

    def decide(
        self, given: Parameters, source: str, holder: str, *, at: float, applied_to: int
    ) -> PolicySet | None:
        """What records that `given` holds from now on; None if it holds already."""
        if given == self.parameters:
            return None
        return PolicySet(
            at=at,
            applied_to=applied_to,
            pool=self._pool,
            figures={name: float(value) for name, value in given.figures().items()},
            config=config_of(given),
            source=source,
            holder=holder,
        )

    @property
    def stream(self) -> UUID:
        """Where the log keeps it."""
        return stream_id("policy", self._pool)

    def decided(self, event: PolicySet, version: int) -> Decided:
        """As it is recorded after `version` of its stream."""
        return Decided(self.stream, version, (event,))
