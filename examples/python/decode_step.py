"""One decode step over a paged cache: three sequences of different lengths write their keys and values, then each
attends with one query token. The result is checked against attention written out in numpy. Needs the package and numpy.
"""
import sys

import numpy as np

import vkv

LENGTHS = [5, 16, 33]  # tokens of each sequence
BLOCK_SIZE, NUM_BLOCKS = 16, 8
HEADS, KV_HEADS, HEAD_DIM = 8, 2, 64


def values(first, *shape):
    """The example's data: a linear congruential step of each index, counted from `first`."""
    i = np.arange(first, first + np.prod(shape), dtype=np.int64)
    return (((i * 1103515245 + 12345) % 2**31) / 2**31 - 0.5).astype(np.float32).reshape(shape)


def block_tables():
    """Each sequence takes the blocks that it needs from the pool, the last ones first."""
    free = list(range(NUM_BLOCKS))
    tables = np.zeros((len(LENGTHS), -(-max(LENGTHS) // BLOCK_SIZE)), np.int32)
    for row, length in zip(tables, LENGTHS):
        for column in range(-(-length // BLOCK_SIZE)):
            row[column] = free.pop()
    return tables


def expected(query, key, value):
    """Attention of one query token over all tokens of its sequence, in float64."""
    key, value = (np.repeat(x, HEADS // KV_HEADS, axis=1).astype(np.float64) for x in (key, value))
    scores = np.einsum("hd,thd->ht", query, key) / np.sqrt(HEAD_DIM)
    weights = np.exp(scores - scores.max(axis=1, keepdims=True))
    return np.einsum("ht,thd->hd", weights / weights.sum(axis=1, keepdims=True), value)


def main():
    tokens = sum(LENGTHS)
    key, value = values(0, tokens, KV_HEADS, HEAD_DIM), values(1_000_000, tokens, KV_HEADS, HEAD_DIM)
    query = values(2_000_000, len(LENGTHS), HEADS, HEAD_DIM)
    tables = block_tables()
    slots = np.array([row[t // BLOCK_SIZE] * BLOCK_SIZE + t % BLOCK_SIZE
                      for row, length in zip(tables, LENGTHS) for t in range(length)], np.int64)
    key_cache = np.zeros((NUM_BLOCKS, BLOCK_SIZE, KV_HEADS, HEAD_DIM), np.float32)
    value_cache = np.zeros_like(key_cache)
    out = np.empty_like(query)

    with vkv.Context("cpu") as ctx:
        ctx.reshape_and_cache_flash(key=key, value=value, key_cache=key_cache, value_cache=value_cache,
                                    slot_mapping=slots)
        ctx.paged_attention(query=query, out=out, key_cache=key_cache, value_cache=value_cache, block_table=tables,
                            seq_lens=np.array(LENGTHS, np.int32))
        ctx.check_device_report()

    ends = np.cumsum(LENGTHS)
    error = max(np.abs(out[s] - expected(query[s], key[end - n:end], value[end - n:end])).max()
                for s, (end, n) in enumerate(zip(ends, LENGTHS)))
    print(f"decode step: max error {error:.1e} over {len(LENGTHS)} sequences")
    return 0 if error <= 1e-5 else 1


if __name__ == "__main__":
    sys.exit(main())
