"""BM25 term weights, by the encoder that comes with qdrant-edge: the same numbers for every store."""

from dataclasses import dataclass

from qdrant_edge import Bm25, Bm25Config

from retrieval_service.vectors import lexicon


@dataclass(frozen=True, slots=True)
class Terms:
    """Hashed words and their weights, without the share that depends on how rare a word is."""

    indices: list[int]
    weights: list[float]


_ENCODER = Bm25(
    Bm25Config(k=lexicon.SATURATION, b=lexicon.LENGTH_SHARE, avg_len=lexicon.LENGTH_WORDS, ascii_folding=True)
)


def document_terms(text: str) -> Terms:
    """Of a passage: saturated by how often a word stands in it."""
    vector = _ENCODER.embed_document(lexicon.spaced(text))
    return Terms(vector.indices, vector.values)


def query_terms(text: str) -> Terms:
    """Of a question: each word once. Empty when it holds nothing but stop words."""
    vector = _ENCODER.embed_query(lexicon.spaced(text))
    return Terms(vector.indices, vector.values)
