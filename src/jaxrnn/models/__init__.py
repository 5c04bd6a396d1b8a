"""Models that are ready to train, each of about a page."""

from jaxrnn.models.attention_decoder import BahdanauDecoder as BahdanauDecoder
from jaxrnn.models.attention_decoder import LuongDecoder as LuongDecoder
from jaxrnn.models.captioner import Captioner as Captioner
from jaxrnn.models.captioner import EveryStep as EveryStep
from jaxrnn.models.captioner import FirstInput as FirstInput
from jaxrnn.models.captioner import InitialState as InitialState
from jaxrnn.models.classifier import Classifier as Classifier
from jaxrnn.models.decoder import Decoder as Decoder
from jaxrnn.models.decoder import PlainDecoder as PlainDecoder
from jaxrnn.models.encoder import Encoder as Encoder
from jaxrnn.models.encoder import Source as Source
from jaxrnn.models.encoder_decoder import EncoderDecoder as EncoderDecoder
from jaxrnn.models.ensemble import ensemble as ensemble
from jaxrnn.models.glimpse import GlimpseClassifier as GlimpseClassifier
from jaxrnn.models.glimpse import Glimpses as Glimpses
from jaxrnn.models.glimpse import reinforce as reinforce
from jaxrnn.models.hand_built import comparison_network as comparison_network
from jaxrnn.models.hand_built import parity_network as parity_network
from jaxrnn.models.hand_built import summation_network as summation_network
from jaxrnn.models.language_model import LanguageModel as LanguageModel
from jaxrnn.models.piano_roll import PianoRoll as PianoRoll
from jaxrnn.models.piano_roll import frame_nats as frame_nats
from jaxrnn.models.reader import Reader as Reader
from jaxrnn.models.retina import retina as retina
from jaxrnn.models.tagger import Tagger as Tagger
from jaxrnn.models.transcriber import Transcriber as Transcriber
