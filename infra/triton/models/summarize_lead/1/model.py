import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

# The interpreter of a model must find the numpy of its own environment first.
sys.path.insert(0, os.environ.get("POINTSMAN_TRITON_SITE", sys.path[0]))
sys.path.insert(1, str(Path(__file__).resolve().parents[3]))

from pointsman_samples import serving
from pointsman_samples.loading import wait_added_load_delay
from pointsman_samples.summaries import summarize_lead


class TritonPythonModel:
    """The first sentences of a text."""

    def initialize(self, args: Mapping[str, str]) -> None:
        wait_added_load_delay(args)

    def execute(self, requests: Sequence[serving.Request]) -> list[serving.Response]:
        return serving.answer_texts(requests, lambda text: summarize_lead(text).encode())
