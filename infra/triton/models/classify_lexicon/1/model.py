import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

# The interpreter of a model must find the numpy of its own environment first.
sys.path.insert(0, os.environ.get("POINTSMAN_TRITON_SITE", sys.path[0]))
sys.path.insert(1, str(Path(__file__).resolve().parents[3]))

from pointsman_samples import serving
from pointsman_samples.labels import classify_by_lexicon
from pointsman_samples.loading import wait_added_load_delay


class TritonPythonModel:
    """The subject of a text, from a list of words for each."""

    def initialize(self, args: Mapping[str, str]) -> None:
        wait_added_load_delay(args)

    def execute(self, requests: Sequence[serving.Request]) -> list[serving.Response]:
        return serving.answer_texts(requests, lambda text: classify_by_lexicon(text).as_json())
