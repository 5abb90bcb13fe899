//! Element types of tensors, and the Rust types that hold them.
use std::fmt;

use vkv_sys as sys;

/// The type of a tensor's elements.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
#[repr(i32)]
pub enum Dtype {
    /// IEEE half precision.
    F16 = sys::VKV_DTYPE_F16,
    /// bfloat16.
    Bf16 = sys::VKV_DTYPE_BF16,
    /// IEEE single precision.
    F32 = sys::VKV_DTYPE_F32,
    /// OCP E4M3: largest finite 448, no infinity.
    Fp8E4m3 = sys::VKV_DTYPE_FP8_E4M3,
    /// OCP E5M2: largest finite 57344.
    Fp8E5m2 = sys::VKV_DTYPE_FP8_E5M2,
    /// Bytes.
    U8 = sys::VKV_DTYPE_U8,
    /// 32-bit integers.
    I32 = sys::VKV_DTYPE_I32,
    /// 64-bit integers.
    I64 = sys::VKV_DTYPE_I64,
    /// Bytes of an NVFP4 cache; one element is one byte.
    Nvfp4 = sys::VKV_DTYPE_NVFP4,
    /// Bytes of 656-byte MLA entries; one element is one byte.
    Fp8DsMla = sys::VKV_DTYPE_FP8_DS_MLA,
}

impl Dtype {
    /// Every dtype.
    pub const ALL: [Dtype; 10] = [
        Dtype::F16,
        Dtype::Bf16,
        Dtype::F32,
        Dtype::Fp8E4m3,
        Dtype::Fp8E5m2,
        Dtype::U8,
        Dtype::I32,
        Dtype::I64,
        Dtype::Nvfp4,
        Dtype::Fp8DsMla,
    ];

    /// Bytes of one element.
    pub fn size(self) -> usize {
        match self {
            Dtype::I64 => 8,
            Dtype::F32 | Dtype::I32 => 4,
            Dtype::F16 | Dtype::Bf16 => 2,
            Dtype::Fp8E4m3 | Dtype::Fp8E5m2 | Dtype::U8 | Dtype::Nvfp4 | Dtype::Fp8DsMla => 1,
        }
    }
}

impl fmt::Display for Dtype {
    /// The library's name, such as `bf16`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&crate::error::text(unsafe { sys::vkv_dtype_string(*self as i32) }))
    }
}

/// Plain numbers whose slices may hold a tensor's elements, whatever the dtype: 16-bit floats in `u16`, narrow caches
/// in `u8`, anything in bytes that are aligned as the dtype asks.
///
/// # Safety
/// Every bit pattern is a value of the type, and it has no padding.
pub unsafe trait Storage: Copy + private::Sealed {}

/// Numbers that have a dtype of their own.
pub trait Element: Storage {
    /// The dtype.
    const DTYPE: Dtype;
}

mod private {
    pub trait Sealed {}
}

macro_rules! storage {
    ($($type:ty)*) => {
        $(
            impl private::Sealed for $type {}
            unsafe impl Storage for $type {}
        )*
    };
}

storage!(u8 i8 u16 i16 u32 i32 u64 i64 f32);

impl Element for f32 {
    const DTYPE: Dtype = Dtype::F32;
}
impl Element for u8 {
    const DTYPE: Dtype = Dtype::U8;
}
impl Element for i32 {
    const DTYPE: Dtype = Dtype::I32;
}
impl Element for i64 {
    const DTYPE: Dtype = Dtype::I64;
}
