"""Measuring: jaxrnn against other libraries, at a grid of sizes and over scan lengths.

A *contender* is a library used the way its documentation says; `benchmarks/README.md` says how each
figure is taken.
"""

from jaxrnn.bench.contender import KINDS as KINDS
from jaxrnn.bench.contender import Contender as Contender
from jaxrnn.bench.contender import Kind as Kind
from jaxrnn.bench.contender import Program as Program
from jaxrnn.bench.floor import matmul_floor as matmul_floor
from jaxrnn.bench.machine import busy as busy
from jaxrnn.bench.machine import describe as describe
from jaxrnn.bench.machine import machine as machine
from jaxrnn.bench.pairs import Point as Point
from jaxrnn.bench.pairs import grid as grid
from jaxrnn.bench.pairs import measure_point as measure_point
from jaxrnn.bench.pairs import warm_up as warm_up
from jaxrnn.bench.peers import OURS as OURS
from jaxrnn.bench.peers import PEERS as PEERS
from jaxrnn.bench.sizes import Size as Size
from jaxrnn.bench.sizes import parse_lengths as parse_lengths
from jaxrnn.bench.sizes import parse_names as parse_names
from jaxrnn.bench.sizes import parse_sizes as parse_sizes
from jaxrnn.bench.summary import fastest_jax_peer as fastest_jax_peer
from jaxrnn.bench.summary import points as points
from jaxrnn.bench.summary import summarise as summarise
from jaxrnn.bench.sweep import Layer as Layer
from jaxrnn.bench.sweep import announcements as announcements
from jaxrnn.bench.sweep import sweep as sweep
from jaxrnn.bench.timing import interleaved as interleaved
