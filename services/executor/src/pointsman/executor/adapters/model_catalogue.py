"""What is known of models that a Triton has not loaded.

The server tells the configuration of a model only while it is loaded. What a model would be is
therefore read from its repository, if that can be read here, or declared; what was seen of it while
it was loaded stands above both.
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import structlog
from google.protobuf import json_format, text_format

from pointsman.contracts.events import Residency
from pointsman.executor.adapters.kserve import LoadedModel, loaded_model, messages
from pointsman.executor.ports import Placement

GPUS: Final = "pointsman.gpus"
"""Parameter of a placed model's configuration: the GPUs that its one instance takes."""

_FILE: Final = "config.pbtxt"

_log = structlog.get_logger(__name__)


class ModelCatalogue:
    """Of one server; `repository` is its model repository as it can be read here."""

    def __init__(self, repository: Path | None = None, declared: Sequence[Residency] = ()) -> None:
        self._repository = repository
        self._declared = {each.variant: each for each in declared}
        self._configs: dict[str, Any] = {}
        self._reported: set[str] = set()

    def learn(self, config: Any) -> None:  # noqa: ANN401 - the generated ModelConfig
        """Of a model that is loaded."""
        self._configs[config.name] = config

    def config(self, name: str) -> Any | None:  # noqa: ANN401 - the generated ModelConfig
        """The generated ModelConfig of a model; None if it is not known."""
        if name not in self._configs and self._repository is not None:
            self._read(self._repository / name / _FILE, name)
        return self._configs.get(name)

    def would_be(self, name: str) -> Residency | None:
        """The variant as it would be loaded; None if that is not known, or against the rules."""
        if name not in self._configs and name in self._declared:
            return self._declared[name]
        config = self.config(name)
        model = None if config is None else loaded_model(config)
        return None if model is None else residency_of(model)

    def _read(self, path: Path, name: str) -> None:
        config = messages.model__config__pb2.ModelConfig()
        try:
            text_format.Parse(path.read_text(encoding="utf-8"), config)
        except (OSError, ValueError, text_format.ParseError) as error:
            if name not in self._reported:
                self._reported.add(name)
                _log.warning("model_config_unreadable", path=str(path), reason=str(error))
            return
        config.name = name
        self._configs[name] = config


def residency_of(model: LoadedModel) -> Residency:
    """As the leader hears of it."""
    return Residency(variant=model.name, slots=model.slots, max_batch=model.max_batch)


def placed(config: Any, placement: Placement) -> str:  # noqa: ANN401 - the generated ModelConfig
    """The configuration as the JSON text of a load's override, its instances placed.

    An override replaces the whole configuration. On one GPU the instances go there; over several
    there is one instance, whose model finds them in the parameter `GPUS`. What its files put on
    the CPU stays there.
    """
    document = json_format.MessageToDict(config, preserving_proto_field_name=True)
    groups: list[dict[str, Any]] = document.get("instance_group") or [{"count": 1}]
    document["instance_group"] = [_group(group, placement) for group in groups]
    if len(placement.gpus) > 1:
        listed = ",".join(map(str, placement.gpus))
        document.setdefault("parameters", {})[GPUS] = {"string_value": listed}
    return json.dumps(document)


def _group(group: dict[str, Any], placement: Placement) -> dict[str, Any]:
    if group.get("kind") == "KIND_CPU":
        return group
    if len(placement.gpus) > 1:
        return {"kind": "KIND_MODEL", "count": 1}
    return {"kind": "KIND_GPU", "gpus": list(placement.gpus), "count": group.get("count", 1)}
