//! Writing new tokens' keys and values into paged caches.
use vkv_sys as sys;

use crate::error::Result;
use crate::operation::{size_of, Call, Fields, Run, Supported, ViewOperation};
use crate::options::Nvfp4Scales;
use crate::tensor::{Tensor, TensorMut};

/// Writes keys and values into an x-packed cache, x = 16 / element bytes. Tokens with a negative slot are skipped.
///
/// Bits are copied where the cache has the dtype of `key`; e4m3 and e5m2 caches store x / scale.
#[derive(Debug, Default)]
pub struct ReshapeAndCache<'a> {
    /// `[>= num_tokens, num_heads, head_dim]` f16, bf16 or f32; head_dim packed.
    pub key: Tensor<'a>,
    /// As `key`.
    pub value: Tensor<'a>,
    /// `[num_blocks, num_heads, head_dim / x, block_size, x]`; dtype of `key`, e4m3 or e5m2; block and head strides
    /// free.
    pub key_cache: TensorMut<'a>,
    /// `[num_blocks, num_heads, head_dim, block_size]`; dtype of `key_cache`; likewise.
    pub value_cache: TensorMut<'a>,
    /// `[num_tokens]` i64.
    pub slot_mapping: Tensor<'a>,
    /// Absent (1), `[1]` or `[num_heads]` f32.
    pub k_scale: Tensor<'a>,
    /// As `k_scale`.
    pub v_scale: Tensor<'a>,
}

impl Call for ReshapeAndCache<'_> {
    type Raw = sys::vkv_reshape_and_cache_params;
    const NAME: &'static str = "vkv_reshape_and_cache";
    const RUN: Run<Self::Raw> = sys::vkv_reshape_and_cache;
    const SUPPORTED: Supported<Self::Raw> = sys::vkv_reshape_and_cache_supported;

    fn raw(&self, fields: &Fields) -> Result<Self::Raw> {
        Ok(sys::vkv_reshape_and_cache_params {
            struct_size: size_of::<Self::Raw>(),
            flags: 0,
            key: fields.device("key", &self.key)?,
            value: fields.device("value", &self.value)?,
            key_cache: fields.device("key_cache", &self.key_cache)?,
            value_cache: fields.device("value_cache", &self.value_cache)?,
            slot_mapping: fields.device("slot_mapping", &self.slot_mapping)?,
            k_scale: fields.device("k_scale", &self.k_scale)?,
            v_scale: fields.device("v_scale", &self.v_scale)?,
        })
    }
}

impl ViewOperation for ReshapeAndCache<'_> {}

/// Writes keys and values into a strided cache: NHD, HND, or both sliced from one allocation
/// ([`TensorMut::split_at`](crate::TensorMut::split_at)). Tokens with a negative slot are skipped.
///
/// Bits are copied where the cache has the dtype of `key`; e4m3 and e5m2 caches store x / scale; nvfp4 as `vkv.h` says.
#[derive(Debug, Default)]
pub struct ReshapeAndCacheFlash<'a> {
    /// `[>= num_tokens, num_heads, head_dim]` f16, bf16 or f32; head_dim packed.
    pub key: Tensor<'a>,
    /// As `key`.
    pub value: Tensor<'a>,
    /// `[num_blocks, block_size, num_heads, head_dim]`; dtype of `key`, e4m3, e5m2 or nvfp4 (then head_dim / 2 +
    /// head_dim / 16 bytes a row); head_dim packed.
    pub key_cache: TensorMut<'a>,
    /// Shape and dtype of `key_cache`; own strides.
    pub value_cache: TensorMut<'a>,
    /// `[num_tokens]` i64.
    pub slot_mapping: Tensor<'a>,
    /// Absent (1), `[1]` or `[num_heads]` f32 (nvfp4: `[1]`).
    pub k_scale: Tensor<'a>,
    /// As `k_scale`.
    pub v_scale: Tensor<'a>,
    /// NVFP4 caches only.
    pub nvfp4_v_scales: Nvfp4Scales,
}

impl Call for ReshapeAndCacheFlash<'_> {
    type Raw = sys::vkv_reshape_and_cache_flash_params;
    const NAME: &'static str = "vkv_reshape_and_cache_flash";
    const RUN: Run<Self::Raw> = sys::vkv_reshape_and_cache_flash;
    const SUPPORTED: Supported<Self::Raw> = sys::vkv_reshape_and_cache_flash_supported;

    fn raw(&self, fields: &Fields) -> Result<Self::Raw> {
        Ok(sys::vkv_reshape_and_cache_flash_params {
            struct_size: size_of::<Self::Raw>(),
            flags: 0,
            key: fields.device("key", &self.key)?,
            value: fields.device("value", &self.value)?,
            key_cache: fields.device("key_cache", &self.key_cache)?,
            value_cache: fields.device("value_cache", &self.value_cache)?,
            slot_mapping: fields.device("slot_mapping", &self.slot_mapping)?,
            k_scale: fields.device("k_scale", &self.k_scale)?,
            v_scale: fields.device("v_scale", &self.v_scale)?,
            nvfp4_v_scales: self.nvfp4_v_scales.0,
            reserved0: 0,
        })
    }
}

impl ViewOperation for ReshapeAndCacheFlash<'_> {}
