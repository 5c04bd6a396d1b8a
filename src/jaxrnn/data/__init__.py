"""Texts, tokenizers, files of symbols and batches in NumPy; `synthetic` tasks in JAX."""

from jaxrnn.data import synthetic as synthetic
from jaxrnn.data.batches import Batches as Batches
from jaxrnn.data.corpus import default_corpus as default_corpus
from jaxrnn.data.corpus import read_byte_chunks as read_byte_chunks
from jaxrnn.data.corpus import read_bytes as read_bytes
from jaxrnn.data.corpus import read_text as read_text
from jaxrnn.data.corpus import read_text_chunks as read_text_chunks
from jaxrnn.data.corpus import split as split
from jaxrnn.data.encode import EncodedText as EncodedText
from jaxrnn.data.encode import encode_file as encode_file
from jaxrnn.data.encode import encode_text as encode_text
from jaxrnn.data.padding import Padded as Padded
from jaxrnn.data.padding import pad as pad
from jaxrnn.data.streams import Segment as Segment
from jaxrnn.data.streams import Streams as Streams
from jaxrnn.data.streams import streams as streams
from jaxrnn.data.token_file import read_tokens as read_tokens
from jaxrnn.data.token_file import write_tokens as write_tokens
from jaxrnn.data.tokenizers import BPETokenizer as BPETokenizer
from jaxrnn.data.tokenizers import ByteTokenizer as ByteTokenizer
from jaxrnn.data.tokenizers import CharTokenizer as CharTokenizer
from jaxrnn.data.tokenizers import Tokenizer as Tokenizer
from jaxrnn.data.tokenizers import WordTokenizer as WordTokenizer
from jaxrnn.data.tokenizers import load_tokenizer as load_tokenizer
