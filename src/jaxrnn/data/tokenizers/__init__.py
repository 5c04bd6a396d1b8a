"""Characters, bytes, words and subwords as integers, and back: one tokenizer in each file."""

from jaxrnn.data.tokenizers.byte import ByteTokenizer as ByteTokenizer
from jaxrnn.data.tokenizers.character import CharTokenizer as CharTokenizer
from jaxrnn.data.tokenizers.load import Tokenizer as Tokenizer
from jaxrnn.data.tokenizers.load import load_tokenizer as load_tokenizer
from jaxrnn.data.tokenizers.subword import BPETokenizer as BPETokenizer
from jaxrnn.data.tokenizers.word import WordTokenizer as WordTokenizer
