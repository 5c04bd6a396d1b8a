"""The contenders: each file runs one library the way its own documentation says to."""

from jaxrnn.bench.contender import Contender
from jaxrnn.bench.peers import equinox, flax_linen, flax_nnx, haiku, keras, ours, torch

OURS = ours.CONTENDER
PEERS: dict[str, Contender] = {
    contender.name: contender
    for contender in (
        flax_nnx.PLAIN,
        flax_nnx.OPTIMIZED,
        flax_linen.PLAIN,
        flax_linen.OPTIMIZED,
        haiku.CONTENDER,
        equinox.CONTENDER,
        keras.CONTENDER,
        torch.CONTENDER,
    )
}
