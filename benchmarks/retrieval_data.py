"""The Semanlink set: notes on articles and the tags their collector gave them. A tag is a question, its notes
are the answers.

It comes in the source distribution of `cherche` (MIT), fetched once from the package index that also carries
the weights.
"""

import json
import math
import tarfile
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

from atrium_local.settings import LocalSettings
from atrium_local.transfer import download, make_client
from atrium_local.weights import sha256_of

_PROJECT, _FILE = "cherche", "cherche-2.2.1.tar.gz"
_SHA256 = "7984a88f0bf9349cd08907baefc2527deaacea95d3acf5f4a1692896c507fe34"
_FOLDER = "cherche-2.2.1/cherche/data/semanlink"
_CHARS_MIN = 200
_ANSWERS = range(3, 41)  # a tag of fewer notes measures luck, one of more is a drawer
DEPTH = 10


@dataclass(frozen=True, slots=True)
class Semanlink:
    """`answers` are places in `documents`, one set per query."""

    documents: list[str]
    queries: list[str]
    answers: list[set[int]]

    @property
    def judgements(self) -> int:
        return sum(map(len, self.answers))


def semanlink() -> Semanlink:
    """The set, from the cache or the package index. Raises RuntimeError when the bytes are not the known
    ones.
    """
    with tarfile.open(_archive()) as archive:
        notes, tags = (_member(archive, name) for name in ("docs.json", "tags.json"))
    documents, tagged = [], defaultdict[str, set[int]](set)
    for note in notes:
        text = f"{note['title']} {note['arxiv_summary']} {note['comment']}"
        if len(text) >= _CHARS_MIN:
            for tag in note["tag"]:
                tagged[tag].add(len(documents))
            documents.append(text)
    chosen = [
        tag
        for tag, found in tagged.items()
        if len(found) in _ANSWERS and tag in tags and tags[tag]["prefLabel"]
    ]
    return Semanlink(
        documents, [tags[tag]["prefLabel"][0] for tag in chosen], [tagged[tag] for tag in chosen]
    )


def _member(archive: tarfile.TarFile, name: str) -> Any:
    file = archive.extractfile(f"{_FOLDER}/{name}")
    if file is None:
        raise RuntimeError(f"{_FILE} holds no {name}")
    return json.load(file)


def cache_folder() -> Path:
    """Where benchmarks keep what is dear to make again."""
    folder = LocalSettings().weights_dir / "benchmarks"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _archive() -> Path:
    path = cache_folder() / _FILE
    if not path.exists():
        with make_client() as client:
            partial = path.with_suffix(".part")
            page = client.get(
                f"{LocalSettings().index.rstrip('/')}/{_PROJECT}/",
                headers={"accept": "application/vnd.pypi.simple.v1+json"},
            )
            page.raise_for_status()
            url = next(
                urljoin(str(page.url), file["url"])
                for file in page.json()["files"]
                if file["filename"] == _FILE
            )
            download(client, url, partial, progress=lambda _bytes: None)
            partial.replace(path)
    if sha256_of(path) != _SHA256:
        path.unlink()
        raise RuntimeError(f"{_FILE} from the package index is not the known file; it was deleted")
    return path


def ndcg(found: Sequence[int], wanted: set[int]) -> float:
    """Normalised discounted cumulative gain of the first ten, with gains of 0 and 1."""
    gained = sum(1 / math.log2(place + 2) for place, one in enumerate(found[:DEPTH]) if one in wanted)
    return gained / sum(1 / math.log2(place + 2) for place in range(min(DEPTH, len(wanted))))


def recall(found: Sequence[int], wanted: set[int]) -> float:
    """The share of what could be among the first ten that is."""
    return len(set(found[:DEPTH]) & wanted) / min(DEPTH, len(wanted))
