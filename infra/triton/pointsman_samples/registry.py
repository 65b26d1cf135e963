"""The registry of the sample models: what is measured of each variant, as a file and as a page."""

import re
import tomllib
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

_HEADER: Final = """\
# The sample models: variants of one family do the same work at different quality and cost.
# Written by infra/triton/measure.py; change the models, not the figures.
#
# quality        0 to 1, measured on generated texts (docs/sample-models.md says how)
# memory_mib     proportional set size of the model's processes after the run
# load_s         median time Triton takes to load the model
# slots          requests worked on at a time: one per model process
# service_s      median time of a call, one client; service_p99_s its 99th percentile
# media_type     of the result
# devices_per_instance  devices that one instance takes, all or none; missing: one
# max_input_bytes  longer inputs are not taken as a whole; missing: no limit
# merge          how results of parts become one: join, mean or vote; missing: never cut
"""

_PAGE: Final = """\
# Sample models

What `pointsman up` serves when no other models are named: real work on the CPU with numpy alone,
nothing to download. The variants of a family do the same work at different quality and cost, so
that choosing between them means something. `infra/triton/measure.py` measured all figures and
wrote this page.

{table}

Measured through Triton {triton} on {cores} CPU cores. Quality depends on the texts only, the rest
on the machine.

- **quality** is measured on texts that the project generates from fixed seeds, so that the right
  answer is known by construction. It ranks the variants of a family; on other texts the order can
  be another.
  - `summarize`: mean of ROUGE-1 and ROUGE-L (F1) against the three central sentences that each of
    {documents} texts was built around.
  - `classify`: share of {labelled} short texts that get the subject they were written about; they
    contain words of other subjects, small talk and slips of the pen, and were not trained on.
  - `cluster`: share of {lines} lines, each made of several short texts about one subject, whose
    cluster is mostly about their own.
  - `embed`: share of {pairs} rephrased sentences whose nearest original, among all, is their own.
  - `generate`: share of the doubt about the next word that the model takes away on {held_out} texts
    that it was not trained on: `1 - log(perplexity) / log(vocabulary)`, where 0 is guessing.
  - `identity`: share of payloads that come back byte for byte.
- **memory**: proportional set size of the model's processes after the run.
- **load**: median time Triton takes to load the model.
- **p50, p99**: time of a call, one client; **calls/s**: with eight clients. A call of `generate`
  continues a sentence with 64 tokens or up to the end of the text.

| variant | how |
|---|---|
| `summarize_hashed` | TextRank over sentence embeddings from hashed words and character n-grams |
| `summarize_tfidf` | TextRank over TF-IDF |
| `summarize_lead` | the first three sentences |
| `classify_linear` | a linear layer over the hashed embedding, trained by `train_classifier.py` |
| `classify_lexicon` | counts words of a list for each subject |
| `cluster_hashed` | k-means over the hashed embeddings of the text's lines |
| `embed_hashed` | 256 little-endian 32-bit floats from hashed words and n-grams, L2-normalised |
| `generate_order4` | words that followed the last three words in training, smoothed (Witten-Bell) |
| `generate_bigram` | the same with the last word only |
| `identity` | gives the payload back; for benchmarks and tests |

Texts beyond 1 MiB are refused by every model but `identity`, and the summarisers read 1 000
sentences: about 96 KiB, which is their limit in the registry, because the rest would be passed over
without a word. Longer texts of `summarize` and `generate` are cut and the results joined, `embed`
gives the mean and `classify` the vote of the parts.

Every model takes the request parameter `delay_ms`: an added delay, for tests that need a long call.
It ends at once when the request is cancelled.

The models of `generate` are trained while they are loaded, on texts that the project generates too,
and send one piece of text for each token. They take `max_tokens` (64, at most 4096), `temperature`
(1; at 0 the most probable word comes every time) and `seed` (0): the same text and parameters give
the same continuation. `score` = 1 asks for the probability of the text instead, as JSON.
`token_delay_ms` is an added delay before each token.

`cluster_hashed` puts similar lines of a text together (`clusters`, 8, at most 256) and answers with
JSON; the best of `starts` (4, at most 1 000) attempts counts. It works in rounds, says after each
how far it is, and hands back a checkpoint from which another call goes on with the same result.
`step_delay_ms` is an added delay before each round.
"""


@dataclass(frozen=True)
class Variant:
    """One model and what was measured of it."""

    model: str
    family: str
    quality: float
    memory_mib: float
    load_s: float
    slots: int
    service_s: float
    service_p99_s: float
    media_type: str
    max_input_bytes: int = 0
    merge: str = ""


@dataclass(frozen=True)
class Circumstances:
    """What a page of figures has to say about their origin."""

    triton: str
    cores: int
    documents: int
    labelled: int
    pairs: int
    held_out: int
    lines: int


def load(path: Path) -> list[Variant]:
    """Read the variants in the order of the file."""
    return [Variant(**table) for table in tomllib.loads(path.read_text())["variant"]]


def registry(variants: list[Variant]) -> str:
    """Render the registry file, families by name and their variants by falling quality."""
    return _HEADER + "".join(_table(variant) for variant in in_order(variants))


def page(
    variants: list[Variant], circumstances: Circumstances, *, calls_per_s: Mapping[str, int]
) -> str:
    """Render the page for readers; ``calls_per_s`` by model name stands there only."""
    head = (
        "| family | variant | quality | memory MiB | load s | slots | p50 ms | p99 ms | calls/s |\n"
        "|---|---|---|---|---|---|---|---|---|\n"
    )
    rows = "\n".join(f"{row_of(v)} {calls_per_s[v.model]} |" for v in in_order(variants))
    return _PAGE.format(table=head + rows, **asdict(circumstances))


def calls_per_s_of(page_text: str) -> dict[str, int]:
    """Read back from a page what stands there only, by model name."""
    rows = re.findall(r"^\| \w+ \| `(\w+)` \|.*\| (\d+) \|$", page_text, re.MULTILINE)
    return {model: int(calls) for model, calls in rows}


def row_of(variant: Variant) -> str:
    """Render what the registry says in a variant's line of the page's table."""
    cells = (
        variant.family,
        f"`{variant.model}`",
        f"{variant.quality:.3f}",
        f"{variant.memory_mib:.0f}",
        f"{variant.load_s:.2f}",
        str(variant.slots),
        f"{variant.service_s * 1000:.2f}",
        f"{variant.service_p99_s * 1000:.2f}",
    )
    return f"| {' | '.join(cells)} |"


def in_order(variants: list[Variant]) -> list[Variant]:
    return sorted(variants, key=lambda v: (v.family, -v.quality, v.model))


def _table(variant: Variant) -> str:
    said = {name: value for name, value in asdict(variant).items() if value not in {0, ""}}
    lines = (f"{name} = {_value(value)}" for name, value in said.items())
    return "\n[[variant]]\n" + "\n".join(lines) + "\n"


def _value(value: object) -> str:
    return f'"{value}"' if isinstance(value, str) else str(value)
