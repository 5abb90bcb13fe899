//! Multi-head latent attention: its cache entries and its queries.
use vkv_sys as sys;

use crate::error::Result;
use crate::operation::{size_of, Call, Fields, Run, Supported, ViewOperation};
use crate::options::{RopeStyle, ScaleRule};
use crate::tensor::{Tensor, TensorMut};

/// Writes MLA entries `[kv_c | k_pe]`: bits copied, e4m3, e5m2, or 656-byte fp8_ds_mla. Tokens with a negative slot are
/// skipped.
#[derive(Debug, Default)]
pub struct ConcatAndCacheMla<'a> {
    /// `[>= num_tokens, kv_lora_rank]` f16, bf16 or f32; last dimension packed, also below.
    pub kv_c: Tensor<'a>,
    /// `[>= num_tokens, rope_dim]`, dtype of `kv_c`.
    pub k_pe: Tensor<'a>,
    /// `[num_blocks, block_size, kv_lora_rank + rope_dim]`, dtype of `kv_c`, e4m3 or e5m2; or
    /// `[num_blocks, block_size, 656]` fp8_ds_mla, 4-byte aligned in data and strides.
    pub kv_cache: TensorMut<'a>,
    /// `[num_tokens]` i64.
    pub slot_mapping: Tensor<'a>,
    /// Absent (1) or `[1]` f32.
    pub scale: Tensor<'a>,
    /// fp8_ds_mla only.
    pub scale_rule: ScaleRule,
}

impl Call for ConcatAndCacheMla<'_> {
    type Raw = sys::vkv_concat_and_cache_mla_params;
    const NAME: &'static str = "vkv_concat_and_cache_mla";
    const RUN: Run<Self::Raw> = sys::vkv_concat_and_cache_mla;
    const SUPPORTED: Supported<Self::Raw> = sys::vkv_concat_and_cache_mla_supported;

    fn raw(&self, fields: &Fields) -> Result<Self::Raw> {
        Ok(sys::vkv_concat_and_cache_mla_params {
            struct_size: size_of::<Self::Raw>(),
            flags: 0,
            kv_c: fields.device("kv_c", &self.kv_c)?,
            k_pe: fields.device("k_pe", &self.k_pe)?,
            kv_cache: fields.device("kv_cache", &self.kv_cache)?,
            slot_mapping: fields.device("slot_mapping", &self.slot_mapping)?,
            scale: fields.device("scale", &self.scale)?,
            scale_rule: self.scale_rule.0,
            reserved0: 0,
        })
    }
}

impl ViewOperation for ConcatAndCacheMla<'_> {}

/// Rotates `q_pe` and `k_pe` in place by `positions`, then writes `[kv_c | rotated k_pe]`. Tokens with a negative slot
/// are neither rotated nor written.
#[derive(Debug, Default)]
pub struct ConcatAndCacheMlaRopeFused<'a> {
    /// `[>= num_tokens]` i64.
    pub positions: Tensor<'a>,
    /// `[>= num_tokens, num_heads, rope_dim]` f16, bf16 or f32, in place; rope_dim even and packed.
    pub q_pe: TensorMut<'a>,
    /// `[>= num_tokens, rope_dim]`, dtype of `q_pe`, in place.
    pub k_pe: TensorMut<'a>,
    /// `[>= num_tokens, kv_lora_rank]`, dtype of `q_pe`.
    pub kv_c: Tensor<'a>,
    /// `[max_position, rope_dim]`, dtype of `q_pe`: rope_dim / 2 cosines, then as many sines.
    pub cos_sin_cache: Tensor<'a>,
    /// `[num_tokens]` i64.
    pub slot_mapping: Tensor<'a>,
    /// `[num_blocks, block_size, kv_lora_rank + rope_dim]`, dtype of `q_pe`, e4m3 or e5m2.
    pub kv_cache: TensorMut<'a>,
    /// Absent (1) or `[1]` f32.
    pub kv_cache_scale: Tensor<'a>,
    /// Which elements are rotated together.
    pub rope_style: RopeStyle,
}

impl Call for ConcatAndCacheMlaRopeFused<'_> {
    type Raw = sys::vkv_concat_and_cache_mla_rope_fused_params;
    const NAME: &'static str = "vkv_concat_and_cache_mla_rope_fused";
    const RUN: Run<Self::Raw> = sys::vkv_concat_and_cache_mla_rope_fused;
    const SUPPORTED: Supported<Self::Raw> = sys::vkv_concat_and_cache_mla_rope_fused_supported;

    fn raw(&self, fields: &Fields) -> Result<Self::Raw> {
        Ok(sys::vkv_concat_and_cache_mla_rope_fused_params {
            struct_size: size_of::<Self::Raw>(),
            flags: 0,
            positions: fields.device("positions", &self.positions)?,
            q_pe: fields.device("q_pe", &self.q_pe)?,
            k_pe: fields.device("k_pe", &self.k_pe)?,
            kv_c: fields.device("kv_c", &self.kv_c)?,
            cos_sin_cache: fields.device("cos_sin_cache", &self.cos_sin_cache)?,
            slot_mapping: fields.device("slot_mapping", &self.slot_mapping)?,
            kv_cache: fields.device("kv_cache", &self.kv_cache)?,
            kv_cache_scale: fields.device("kv_cache_scale", &self.kv_cache_scale)?,
            rope_style: self.rope_style.0,
            reserved0: 0,
        })
    }
}

impl ViewOperation for ConcatAndCacheMlaRopeFused<'_> {}

/// Joins the two parts of an MLA query: `q_out = [ql_nope | q_pe]`, bits copied.
#[derive(Debug, Default)]
pub struct ConcatMlaQ<'a> {
    /// `[num_tokens, num_heads, nope_dim]` f16, bf16 or f32; last dimension packed, also below.
    pub ql_nope: Tensor<'a>,
    /// `[num_tokens, num_heads, rope_dim]`, dtype of `ql_nope`.
    pub q_pe: Tensor<'a>,
    /// `[num_tokens, num_heads, nope_dim + rope_dim]`, dtype of `ql_nope`.
    pub q_out: TensorMut<'a>,
}

impl Call for ConcatMlaQ<'_> {
    type Raw = sys::vkv_concat_mla_q_params;
    const NAME: &'static str = "vkv_concat_mla_q";
    const RUN: Run<Self::Raw> = sys::vkv_concat_mla_q;
    const SUPPORTED: Supported<Self::Raw> = sys::vkv_concat_mla_q_supported;

    fn raw(&self, fields: &Fields) -> Result<Self::Raw> {
        Ok(sys::vkv_concat_mla_q_params {
            struct_size: size_of::<Self::Raw>(),
            flags: 0,
            ql_nope: fields.device("ql_nope", &self.ql_nope)?,
            q_pe: fields.device("q_pe", &self.q_pe)?,
            q_out: fields.device("q_out", &self.q_out)?,
        })
    }
}

impl ViewOperation for ConcatMlaQ<'_> {}
