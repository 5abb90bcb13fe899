"""One small call of each operation, with what it must write worked out in numpy."""
from dataclasses import dataclass, field

import numpy as np

F8_ONE = 0x38  # 1.0 as e4m3


@dataclass
class Call:
    op: str
    tensors: dict                               # name: array, or (array of storage, dtype)
    expected: dict                              # name: array
    numbers: dict = field(default_factory=dict)
    host: tuple = ()                            # names of tensors in host memory
    close: float = 0                            # largest difference


def numbers(*shape, seed=1):
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


def i32(*values):
    return np.array(values, np.int32)


def i64(*values):
    return np.array(values, np.int64)


def softmax_attention(query, keys, values):
    """query [heads, dim], keys and values [tokens, kv_heads, dim] -> output, log-sum-exp."""
    group = query.shape[0] // keys.shape[1]
    keys, values = np.repeat(keys, group, 1).astype(float), np.repeat(values, group, 1).astype(float)
    scores = np.einsum("hd,thd->ht", query, keys) / np.sqrt(query.shape[1])
    peak = scores.max(1, keepdims=True)
    weights = np.exp(scores - peak)
    total = weights.sum(1, keepdims=True)
    return np.einsum("ht,thd->hd", weights / total, values), (peak + np.log(total))[:, 0]


LENGTHS, TABLE = i32(3, 6), i32([4, 0], [1, 2])


def attention_data():
    """2 sequences in a cache [5 blocks, 4 tokens, 2 heads, 16], 4 query heads; outputs and LSEs."""
    query, k_cache, v_cache = numbers(2, 4, 16), numbers(5, 4, 2, 16, seed=2), numbers(5, 4, 2, 16, seed=3)
    results = []
    for s, length in enumerate(LENGTHS):
        rows = [(TABLE[s][t // 4], t % 4) for t in range(length)]
        keys, values = (np.stack([cache[row] for row in rows]) for cache in (k_cache, v_cache))
        results.append(softmax_attention(query[s], keys, values))
    out, lse = (np.stack(part).astype(np.float32) for part in zip(*results))
    return query, k_cache, v_cache, out, lse


def x_packed(k_cache, v_cache):
    blocks, tokens, heads, dim = k_cache.shape
    keys = k_cache.reshape(blocks, tokens, heads, dim // 4, 4).transpose(0, 2, 3, 1, 4)
    return np.ascontiguousarray(keys), np.ascontiguousarray(v_cache.transpose(0, 2, 3, 1))


def paged_attention():
    query, k_cache, v_cache, out, lse = attention_data()
    return Call("paged_attention", dict(query=query, out=out * 0, lse=lse * 0, key_cache=k_cache, value_cache=v_cache,
                                        block_table=TABLE, seq_lens=LENGTHS), dict(out=out, lse=lse), close=1e-5)


def paged_attention_v1(op="paged_attention_v1", **scratch):
    query, k_cache, v_cache, out, _ = attention_data()
    keys, values = x_packed(k_cache, v_cache)
    return Call(op, dict(query=query, out=out * 0, key_cache=keys, value_cache=values, block_tables=TABLE,
                         seq_lens=LENGTHS, **scratch), dict(out=out), dict(num_kv_heads=2, block_size=4), close=1e-5)


def paged_attention_v2():
    return paged_attention_v1("paged_attention_v2", exp_sums=numbers(2, 4, 1), max_logits=numbers(2, 4, 1),
                              tmp_out=numbers(2, 4, 1, 16))


def merge_attn_states():
    prefix, suffix, p, s = numbers(3, 2, 8), numbers(3, 2, 8, seed=2), numbers(2, 3, seed=3), numbers(2, 3, seed=4)
    a, b = np.exp(p.astype(float)), np.exp(s.astype(float))
    weight = (a / (a + b)).T[:, :, None]
    return Call("merge_attn_states", dict(output=prefix * 0, output_lse=p * 0, prefix_output=prefix, prefix_lse=p,
                                          suffix_output=suffix, suffix_lse=s),
                dict(output=prefix * weight + suffix * (1 - weight), output_lse=np.log(a + b)), close=1e-6)


def written_cache():
    """key and value of 3 tokens, the middle one skipped; slots; the strided caches afterwards."""
    key, value, slots = numbers(3, 2, 16), numbers(3, 2, 16, seed=2), i64(5, -1, 2)
    k_cache, v_cache = np.zeros((2, 4, 2, 16), np.float32), np.zeros((2, 4, 2, 16), np.float32)
    for token, slot in ((0, 5), (2, 2)):
        k_cache[slot // 4, slot % 4], v_cache[slot // 4, slot % 4] = key[token], value[token]
    return key, value, slots, k_cache, v_cache


def reshape_and_cache():
    key, value, slots, k_cache, v_cache = written_cache()
    keys, values = x_packed(k_cache, v_cache)
    return Call("reshape_and_cache", dict(key=key, value=value, key_cache=keys * 0, value_cache=values * 0,
                                          slot_mapping=slots), dict(key_cache=keys, value_cache=values))


def reshape_and_cache_flash():
    key, value, slots, k_cache, v_cache = written_cache()
    return Call("reshape_and_cache_flash", dict(key=key, value=value, key_cache=k_cache * 0, value_cache=v_cache * 0,
                                                slot_mapping=slots), dict(key_cache=k_cache, value_cache=v_cache))


def concat_and_cache_mla():
    kv_c, k_pe, cache = numbers(2, 8), numbers(2, 4, seed=2), np.zeros((2, 4, 12), np.float32)
    cache[1, 3], cache[0, 0] = np.concatenate([kv_c, k_pe], 1)
    return Call("concat_and_cache_mla", dict(kv_c=kv_c, k_pe=k_pe, kv_cache=cache * 0, slot_mapping=i64(7, 0)),
                dict(kv_cache=cache))


def concat_and_cache_mla_rope_fused():
    q_pe, k_pe, kv_c, angles = numbers(2, 3, 4), numbers(2, 4, seed=2), numbers(2, 8, seed=3), numbers(6, 2, seed=4)
    cos_sin, positions = np.concatenate([np.cos(angles), np.sin(angles)], 1), i64(5, 1)
    c, s = cos_sin[positions, :2], cos_sin[positions, 2:]

    def rotated(x, c, s):
        return np.concatenate([x[..., :2] * c - x[..., 2:] * s, x[..., 2:] * c + x[..., :2] * s], -1)

    q, k = rotated(q_pe, c[:, None], s[:, None]), rotated(k_pe, c, s)
    cache = np.zeros((2, 4, 12), np.float32)
    cache[0, 1], cache[1, 2] = np.concatenate([kv_c, k], 1)
    return Call("concat_and_cache_mla_rope_fused",
                dict(positions=positions, q_pe=q_pe, k_pe=k_pe, kv_c=kv_c, cos_sin_cache=cos_sin,
                     slot_mapping=i64(1, 6), kv_cache=cache * 0),
                dict(q_pe=q, k_pe=k, kv_cache=cache), dict(rope_style="neox"), close=1e-6)


def convert_fp8():
    source = np.array([[1, -2, 0.5], [448, 1000, 0]], np.float32) * 4
    codes = np.array([[F8_ONE, 0xC0, 0x30], [0x7E, 0x7E, 0]], np.uint8)
    return Call("convert_fp8", dict(dst=(codes * 0, "e4m3"), src=source), dict(dst=codes), dict(scale=4.0))


def gathered(entry_shape, dtype):
    cache = np.arange(3 * 4 * np.prod(entry_shape)).reshape(3, 4, *entry_shape).astype(dtype)
    table, offsets, starts = i32([2, 0], [1, 1]), i32(0, 3, 5), i32(2, 0)
    rows = np.stack([cache[2, 2], cache[2, 3], cache[0, 0], cache[1, 0], cache[1, 1]])
    return cache, table, offsets, starts, rows


def gather_and_maybe_dequant_cache():
    cache, table, offsets, starts, rows = gathered((6,), np.float32)
    return Call("gather_and_maybe_dequant_cache", dict(src_cache=cache, dst=rows * 0, block_table=table,
                                                       cu_seq_lens=offsets, seq_starts=starts), dict(dst=rows))


def cp_gather_cache():
    cache, table, offsets, starts, rows = gathered((2, 3), np.uint8)
    return Call("cp_gather_cache", dict(src_cache=cache, dst=rows * 0, block_table=table, cu_seq_lens=offsets,
                                        seq_starts=starts), dict(dst=rows))


def cp_gather_and_upconvert_fp8_kv_cache():
    cache, rope = np.full((2, 4, 656), F8_ONE, np.uint8), np.arange(64, dtype=np.uint16)
    cache[..., 512:528] = np.array([1, 2, 4, 0.5], np.float32).view(np.uint8)
    cache[..., 528:] = rope.view(np.uint8)
    row = np.concatenate([np.repeat(np.uint16([0x3F80, 0x4000, 0x4080, 0x3F00]), 128), rope])  # bf16 1, 2, 4, 0.5
    return Call("cp_gather_and_upconvert_fp8_kv_cache",
                dict(src_cache=(cache, "fp8_ds_mla"), dst=(np.zeros((3, 576), np.uint16), "bf16"), block_table=i32([1]),
                     workspace_starts=i32(0)), dict(dst=np.stack([row] * 3)))


def indexer_cache():
    """A block of 4 tokens of 128 bytes and their scales; token 2 holds 448 in all dims."""
    block = np.zeros((1, 4, 132), np.uint8)
    flat = block.reshape(-1)
    flat[2 * 128:3 * 128] = 0x7E
    flat[4 * 128 + 2 * 4:4 * 128 + 3 * 4] = np.float32([1]).view(np.uint8)
    return block


def indexer_k_quant_and_cache():
    block = indexer_cache()
    return Call("indexer_k_quant_and_cache", dict(k=np.full((1, 128), 448, np.float32), kv_cache=block * 0,
                                                  slot_mapping=i64(2)), dict(kv_cache=block), dict(scale_rule="f32"))


def cp_gather_indexer_k_quant_cache():
    codes = np.stack([np.full(128, code, np.uint8) for code in (0, 0, 0x7E)])
    return Call("cp_gather_indexer_k_quant_cache",
                dict(kv_cache=indexer_cache(), dst_k=(codes * 0, "e4m3"), dst_scale=np.full((3, 1), 9, np.float32),
                     block_table=i32([0]), cu_seq_lens=i32(0, 3)),
                dict(dst_k=codes, dst_scale=np.float32([[0], [0], [1]])))


def concat_mla_q():
    nope, rope = numbers(3, 2, 8), numbers(3, 2, 4, seed=2)
    joined = np.concatenate([nope, rope], 2)
    return Call("concat_mla_q", dict(ql_nope=nope, q_pe=rope, q_out=joined * 0), dict(q_out=joined))


def swap_blocks():
    source, target = numbers(3, 4, 2), numbers(4, 4, 2, seed=2)
    swapped = target.copy()
    swapped[3], swapped[0] = source[0], source[2]
    return Call("swap_blocks", dict(src=source, dst=target, block_mapping=i64([0, 3], [2, 0])), dict(dst=swapped),
                host=("block_mapping",))


ALL = [paged_attention, paged_attention_v1, paged_attention_v2, merge_attn_states, reshape_and_cache,
       reshape_and_cache_flash, concat_and_cache_mla, concat_and_cache_mla_rope_fused, convert_fp8,
       gather_and_maybe_dequant_cache, cp_gather_cache, cp_gather_and_upconvert_fp8_kv_cache, indexer_k_quant_and_cache,
       cp_gather_indexer_k_quant_cache, concat_mla_q, swap_blocks]
