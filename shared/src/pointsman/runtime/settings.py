"""What every service process is told from outside; read once, in `__main__`."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, NonNegativeInt, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict


def _own_inbox(data: dict[str, object]) -> str:
    user = data.get("user")
    return f"_INBOX_{user}" if user else "_INBOX"


class NatsSettings(BaseModel):
    """How one user reaches the bus."""

    model_config = ConfigDict(frozen=True, use_attribute_docstrings=True)

    url: str
    """`nats://host:port`; the servers of a cluster are separated by commas."""
    user: str = ""
    """Empty: the server asks for no login."""
    password: SecretStr = SecretStr("")
    inbox_prefix: str = Field(default_factory=_own_inbox)
    """Where answers to this user arrive; only this user may subscribe there."""


class ServiceSettings(BaseSettings):
    """The settings that all services share; each service adds its own in a subclass."""

    model_config = SettingsConfigDict(
        env_prefix="POINTSMAN_", frozen=True, use_attribute_docstrings=True, extra="ignore"
    )

    nats_url: str = "nats://127.0.0.1:4222"
    """`nats://host:port`; the servers of a cluster are separated by commas."""
    nats_user: str = ""
    """One user per service; its permissions are the service's subjects."""
    nats_password: SecretStr = SecretStr("")
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    log_format: Literal["json", "console"] = "json"
    telemetry: Literal["off", "console", "otlp"] = "off"
    """`otlp` is chosen by itself when an endpoint is set."""
    otlp_endpoint: str | None = None
    """OTLP over HTTP, for example `http://127.0.0.1:4318`."""
    health_port: NonNegativeInt | None = None
    """Loopback port of `/live` and `/ready`; 0 lets the system choose, none: not served."""
    parent_fd: NonNegativeInt | None = None
    """Read end of a pipe that the parent holds open; the service ends when the parent does."""
    crash_at: str = ""
    """For tests: `<point>:<hit>` of `pointsman.runtime.crashpoints`, where this process dies."""
    crashpoints: bool = False
    """For tests: whether `crash_at` counts."""

    @property
    def nats(self) -> NatsSettings:
        return NatsSettings(url=self.nats_url, user=self.nats_user, password=self.nats_password)
