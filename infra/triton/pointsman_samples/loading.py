"""Added load delays: what stands, in measurements, for models that take longer to load."""

import json
import os
import time
from collections.abc import Mapping

PARAMETER = "pointsman.added_load_delay_s"
VARIABLE = "POINTSMAN_ADDED_LOAD_DELAY_S"


def wait_added_load_delay(args: Mapping[str, str]) -> None:
    """Wait the seconds that the parameter ``PARAMETER`` of a model's configuration declares.

    Without it, those of the environment variable ``VARIABLE`` of the server. ``args`` are those of
    a model's ``initialize``.
    """
    parameters = json.loads(args["model_config"]).get("parameters", {})
    declared = parameters.get(PARAMETER, {}).get("string_value", "")
    time.sleep(float(declared or os.environ.get(VARIABLE) or 0))
