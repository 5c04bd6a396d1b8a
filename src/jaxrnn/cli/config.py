"""What a training run is made from: the options of `jaxrnn train`, kept in the run folder."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Annotated, Any, Literal

import tyro

from jaxrnn.cells.checks import require


@dataclasses.dataclass(frozen=True)
class TrainConfig:
    """Trains a recurrent language model on a text and keeps it in a run folder."""

    corpus: Path | None = None
    """Text file; the language reference of Python unless given."""
    level: Literal["char", "byte", "word", "bpe"] = "char"
    """What a symbol is: a character of UTF-8 text, a byte of any file, a word, or a part of a word
    that byte-pair encoding finds in the text."""
    vocabulary: int | None = None
    """V at level word, the most frequent words and the unknown one, and at level bpe; all words,
    or 2,000 parts, unless given."""
    cell: Literal[
        "elman",
        "irnn",
        "lstm",
        "gru",
        "gru_reset_before",
        "minimal_gated",
        "min_gru",
        "min_lstm",
        "peephole_lstm",
        "coupled_lstm",
        "layer_norm_lstm",
        "layer_norm_gru",
        "multiplicative_lstm",
        "slstm",
        "indrnn",
        "antisymmetric",
        "orthogonal",
    ] = "lstm"
    """Recurrent unit, by the name of its factory."""
    layers: int = 1
    """How many units are stacked."""
    hidden_size: int = 256
    """H, size of the hidden state of each layer."""
    embed_size: int | None = None
    """D, size of the vector that stands for a symbol; 64 unless given, or hidden_size if tied."""
    tied: bool = False
    """Whether the vectors of the symbols are also the weights of the output layer."""
    readout: Literal["softmax", "sampled", "adaptive"] = "softmax"
    """Output layer: the softmax over all symbols; over a sample of them in training; or in groups
    of frequent and rare ones. The last two are for large vocabularies."""
    samples: int = 1000
    """How many symbols a sampled softmax draws."""
    dropout: float = 0.0
    """Part of what goes into each layer, and out of the last, that training sets to zero."""
    input_dropout: float | None = None
    """Part of a symbol's vector that training sets to zero; as in dropout unless given."""
    weight_drop: float = 0.0
    """Part of the recurrent weights that training sets to zero, others for each segment."""
    embed_dropout: float = 0.0
    """Part of the symbols whose vectors training sets to zero, others for each segment."""
    batch_size: int = 32
    """B, streams that are read side by side."""
    segment_length: int = 64
    """T, steps of backpropagation through time before it is truncated."""
    steps: int = 3000
    """Updates, each on one segment of every stream."""
    learning_rate: float = 0.008
    """Peak of Adam's learning rate: linear warm-up for 5 % of the steps, then a cosine."""
    clip_norm: float = 1.0
    """Largest global norm of a gradient."""
    validation: float = 0.05
    """Part of the text, at its end, that is kept for validation."""
    check_every: int = 250
    """Updates between two checkpoints, each with a validation and a sample."""
    seed: int = 0
    """Of the parameters and of the samples."""
    devices: int | None = None
    """Devices that share the streams; two for a small network on a CPU unless given."""
    run: Path | None = None
    """Run folder; a new one under runs/ unless given. One that exists is taken up where it
    stopped, with its own options."""
    json: Annotated[bool, tyro.conf.FlagCreatePairsOff] = False
    """Print the result as a JSON object on the last line."""

    @property
    def symbol(self) -> str:
        """What a symbol is called on screen."""
        return "token" if self.level == "bpe" else self.level

    def kept(self) -> dict[str, Any]:
        """The options that a run folder fixes, as JSON."""
        options = dataclasses.asdict(self)
        del options["run"], options["json"]
        options["corpus"] = None if self.corpus is None else str(self.corpus)
        return options


@dataclasses.dataclass(frozen=True)
class SampleConfig:
    """Writes text with a trained model."""

    run: tyro.conf.Positional[Path]
    """Run folder that `jaxrnn train` made."""
    prompt: str | None = None
    """Text to go on from; a line break unless given."""
    length: int = 500
    """How many symbols to write."""
    temperature: float = 0.8
    """Below 1 more cautious, above 1 bolder; 0 takes the most likely symbol each time."""
    top_k: int | None = None
    """Choose among this many of the most likely symbols; all unless given."""
    top_p: float | None = None
    """Choose among the fewest symbols that together have this probability; all unless given."""
    beam: int | None = None
    """Do not draw, but search for the most likely text with this many kept at every step."""
    seed: int = 0
    """Another seed, another text."""
    json: Annotated[bool, tyro.conf.FlagCreatePairsOff] = False
    """Print the result as a JSON object on the last line."""


def load_config(folder: Path) -> TrainConfig:
    """Reads the options of a run folder.

    Raises:
      ValueError: if the folder is not a run folder.
    """
    path = folder / "config.json"
    require(path.is_file(), "run", "be a folder that `jaxrnn train` made", folder)
    try:
        kept = json.loads(path.read_text("utf-8"))
        del kept["corpus_sha256"]
        kept.setdefault("devices", 1)  # a run from before there was a choice
        kept["corpus"] = None if kept["corpus"] is None else Path(kept["corpus"])
        return TrainConfig(**kept, run=folder)
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(f"`run` must hold a readable config.json; got {path} ({error})") from error


def require_same(asked: TrainConfig, kept: TrainConfig) -> None:
    """Raises ValueError if an option differs from what the run folder was made with."""
    for name, value in kept.kept().items():
        given = asked.kept()[name]
        rule = f"be {value}, which the run folder {kept.run} was made with (or name another --run)"
        require(given == value, name, rule, given)
