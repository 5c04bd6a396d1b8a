"""A recurrent layer as one GPU kernel, made from any cell's `pointwise`: a candidate backend.

The loop over time runs inside one launch, with the recurrent kernel in shared memory. It is not
part of the library: its numbers and its lowering are tested, its speed was never measured.
"""
