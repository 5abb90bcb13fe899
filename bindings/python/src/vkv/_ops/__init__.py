"""Every operation as a method of the context.

Written by scripts/generate-python-structs from include/vkv.h; do not edit.
"""
from .paged_attention import (
    paged_attention,
    paged_attention_supported,
    paged_attention_workspace_size,
)
from .paged_attention_v1 import (
    paged_attention_v1,
    paged_attention_v1_supported,
    paged_attention_v1_workspace_size,
)
from .paged_attention_v2 import (
    paged_attention_v2,
    paged_attention_v2_supported,
    paged_attention_v2_workspace_size,
)
from .merge_attn_states import (
    merge_attn_states,
    merge_attn_states_supported,
)
from .reshape_and_cache import (
    reshape_and_cache,
    reshape_and_cache_supported,
)
from .reshape_and_cache_flash import (
    reshape_and_cache_flash,
    reshape_and_cache_flash_supported,
)
from .concat_and_cache_mla import (
    concat_and_cache_mla,
    concat_and_cache_mla_supported,
)
from .concat_and_cache_mla_rope_fused import (
    concat_and_cache_mla_rope_fused,
    concat_and_cache_mla_rope_fused_supported,
)
from .convert_fp8 import (
    convert_fp8,
    convert_fp8_supported,
)
from .gather_and_maybe_dequant_cache import (
    gather_and_maybe_dequant_cache,
    gather_and_maybe_dequant_cache_supported,
)
from .cp_gather_cache import (
    cp_gather_cache,
    cp_gather_cache_supported,
)
from .cp_gather_and_upconvert_fp8_kv_cache import (
    cp_gather_and_upconvert_fp8_kv_cache,
    cp_gather_and_upconvert_fp8_kv_cache_supported,
)
from .indexer_k_quant_and_cache import (
    indexer_k_quant_and_cache,
    indexer_k_quant_and_cache_supported,
)
from .cp_gather_indexer_k_quant_cache import (
    cp_gather_indexer_k_quant_cache,
    cp_gather_indexer_k_quant_cache_supported,
)
from .concat_mla_q import (
    concat_mla_q,
    concat_mla_q_supported,
)
from .swap_blocks import (
    swap_blocks,
    swap_blocks_supported,
)
from .swap_blocks_batch import (
    swap_blocks_batch,
    swap_blocks_batch_supported,
)
from .copy_blocks import (
    copy_blocks,
    copy_blocks_supported,
)


class Operations:
    """What a Context can do; each method is a C function of the same name."""

    paged_attention = paged_attention
    paged_attention_supported = paged_attention_supported
    paged_attention_workspace_size = paged_attention_workspace_size
    paged_attention_v1 = paged_attention_v1
    paged_attention_v1_supported = paged_attention_v1_supported
    paged_attention_v1_workspace_size = paged_attention_v1_workspace_size
    paged_attention_v2 = paged_attention_v2
    paged_attention_v2_supported = paged_attention_v2_supported
    paged_attention_v2_workspace_size = paged_attention_v2_workspace_size
    merge_attn_states = merge_attn_states
    merge_attn_states_supported = merge_attn_states_supported
    reshape_and_cache = reshape_and_cache
    reshape_and_cache_supported = reshape_and_cache_supported
    reshape_and_cache_flash = reshape_and_cache_flash
    reshape_and_cache_flash_supported = reshape_and_cache_flash_supported
    concat_and_cache_mla = concat_and_cache_mla
    concat_and_cache_mla_supported = concat_and_cache_mla_supported
    concat_and_cache_mla_rope_fused = concat_and_cache_mla_rope_fused
    concat_and_cache_mla_rope_fused_supported = concat_and_cache_mla_rope_fused_supported
    convert_fp8 = convert_fp8
    convert_fp8_supported = convert_fp8_supported
    gather_and_maybe_dequant_cache = gather_and_maybe_dequant_cache
    gather_and_maybe_dequant_cache_supported = gather_and_maybe_dequant_cache_supported
    cp_gather_cache = cp_gather_cache
    cp_gather_cache_supported = cp_gather_cache_supported
    cp_gather_and_upconvert_fp8_kv_cache = cp_gather_and_upconvert_fp8_kv_cache
    cp_gather_and_upconvert_fp8_kv_cache_supported = cp_gather_and_upconvert_fp8_kv_cache_supported
    indexer_k_quant_and_cache = indexer_k_quant_and_cache
    indexer_k_quant_and_cache_supported = indexer_k_quant_and_cache_supported
    cp_gather_indexer_k_quant_cache = cp_gather_indexer_k_quant_cache
    cp_gather_indexer_k_quant_cache_supported = cp_gather_indexer_k_quant_cache_supported
    concat_mla_q = concat_mla_q
    concat_mla_q_supported = concat_mla_q_supported
    swap_blocks = swap_blocks
    swap_blocks_supported = swap_blocks_supported
    swap_blocks_batch = swap_blocks_batch
    swap_blocks_batch_supported = swap_blocks_batch_supported
    copy_blocks = copy_blocks
    copy_blocks_supported = copy_blocks_supported
