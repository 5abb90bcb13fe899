//! The operations: one struct for each, with the field names of `vkv.h`.
mod attention;
mod block_move;
mod cache_write;
mod convert;
mod decode;
mod gather;
mod indexer;
mod merge;
mod mla;

pub use attention::PagedAttention;
pub use block_move::{CopyBlocks, SwapBlocks, SwapBlocksBatch};
pub use cache_write::{ReshapeAndCache, ReshapeAndCacheFlash};
pub use convert::ConvertFp8;
pub use decode::{PagedAttentionV1, PagedAttentionV2};
pub use gather::{CpGatherAndUpconvertFp8KvCache, CpGatherCache, GatherAndMaybeDequantCache};
pub use indexer::{CpGatherIndexerKQuantCache, IndexerKQuantAndCache};
pub use merge::MergeAttnStates;
pub use mla::{ConcatAndCacheMla, ConcatAndCacheMlaRopeFused, ConcatMlaQ};
