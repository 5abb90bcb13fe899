//! Converting whole tensors.
use vkv_sys as sys;

use crate::error::Result;
use crate::operation::{size_of, Call, Fields, Run, Supported, ViewOperation};
use crate::tensor::{Tensor, TensorMut};

/// `dst = narrow(src / scale)` into e4m3 or e5m2, or `dst = src * scale` out of them.
#[derive(Debug, Default)]
pub struct ConvertFp8<'a> {
    /// Any shape and strides; exactly one of `dst` and `src` is e4m3 or e5m2, the other f16, bf16 or f32.
    pub dst: TensorMut<'a>,
    /// Shape of `dst`, own strides.
    pub src: Tensor<'a>,
    /// 0: 1; must be positive and finite as a float32.
    pub scale: f64,
}

impl Call for ConvertFp8<'_> {
    type Raw = sys::vkv_convert_fp8_params;
    const NAME: &'static str = "vkv_convert_fp8";
    const RUN: Run<Self::Raw> = sys::vkv_convert_fp8;
    const SUPPORTED: Supported<Self::Raw> = sys::vkv_convert_fp8_supported;

    fn raw(&self, fields: &Fields) -> Result<Self::Raw> {
        Ok(sys::vkv_convert_fp8_params {
            struct_size: size_of::<Self::Raw>(),
            flags: 0,
            dst: fields.device("dst", &self.dst)?,
            src: fields.device("src", &self.src)?,
            scale: self.scale,
        })
    }
}

impl ViewOperation for ConvertFp8<'_> {}
