//! Combining partial attentions.
use vkv_sys as sys;

use crate::error::Result;
use crate::operation::{size_of, Call, Fields, Run, Supported, ViewOperation};
use crate::tensor::{Tensor, TensorMut};

/// Combines the attention of the same queries over two disjoint sets of keys, by their natural-log sum-exps. A side
/// whose lse is infinite is empty: weight 0, its data not read.
///
/// `output` may be `prefix_output` or `suffix_output` itself, and `output_lse` one of the two lse:
/// [`TensorMut::alias`](crate::TensorMut::alias).
#[derive(Debug, Default)]
pub struct MergeAttnStates<'a> {
    /// `[num_tokens, num_heads, head_dim]`, dtype of `prefix_output`, or e4m3 with `output_scale`; head_dim packed,
    /// also below.
    pub output: TensorMut<'a>,
    /// Absent or `[num_heads, num_tokens]` f32; strides free, also below.
    pub output_lse: TensorMut<'a>,
    /// `[num_tokens, num_heads, head_dim]` f16, bf16 or f32.
    pub prefix_output: Tensor<'a>,
    /// `[num_heads, num_tokens]` f32.
    pub prefix_lse: Tensor<'a>,
    /// As `prefix_output`.
    pub suffix_output: Tensor<'a>,
    /// As `prefix_lse`.
    pub suffix_lse: Tensor<'a>,
    /// `[1]` f32 if `output` is e4m3, else absent.
    pub output_scale: Tensor<'a>,
    /// How many of the last tokens take the suffix alone.
    pub num_tokens_without_context: i64,
}

impl Call for MergeAttnStates<'_> {
    type Raw = sys::vkv_merge_attn_states_params;
    const NAME: &'static str = "vkv_merge_attn_states";
    const RUN: Run<Self::Raw> = sys::vkv_merge_attn_states;
    const SUPPORTED: Supported<Self::Raw> = sys::vkv_merge_attn_states_supported;

    fn raw(&self, fields: &Fields) -> Result<Self::Raw> {
        Ok(sys::vkv_merge_attn_states_params {
            struct_size: size_of::<Self::Raw>(),
            flags: 0,
            output: fields.device("output", &self.output)?,
            output_lse: fields.device("output_lse", &self.output_lse)?,
            prefix_output: fields.device("prefix_output", &self.prefix_output)?,
            prefix_lse: fields.device("prefix_lse", &self.prefix_lse)?,
            suffix_output: fields.device("suffix_output", &self.suffix_output)?,
            suffix_lse: fields.device("suffix_lse", &self.suffix_lse)?,
            output_scale: fields.device("output_scale", &self.output_scale)?,
            num_tokens_without_context: self.num_tokens_without_context,
        })
    }
}

impl ViewOperation for MergeAttnStates<'_> {}
