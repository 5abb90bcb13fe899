//! Raw bindings of libvkv, whose header `vkv.h` is the manual. The safe crate on top is `vkv`.
//!
//! Constants, structs and functions keep their C names. `Default` of a struct is the header's `VKV_INIT`: `struct_size`
//! set, the rest zero. Sizes and offsets are asserted when this crate is compiled.
//!
//! `build.rs` tells how the library is found.
#![allow(non_camel_case_types)]

#[cfg(not(target_pointer_width = "64"))]
compile_error!("libvkv is for 64-bit targets");

macro_rules! assert_size {
    ($name:ident, $size:expr) => {
        const _: () = assert!(std::mem::size_of::<$name>() == $size);
    };
}

/// The bits of one as the other.
#[allow(dead_code)] // older compilers do not see it in the assertions
union Bits<From: Copy, To: Copy> {
    from: From,
    to: To,
}

/// Asserts a field's type and offset: in a value whose bytes are zero but for the one at the offset, that byte must
/// turn up first in the field. (`offset_of!` would say it in a word, and asks for a newer compiler.)
macro_rules! assert_field {
    ($name:ident, $field:ident: $type:ty, $offset:expr) => {
        const _: () = {
            let mut bytes = [0u8; std::mem::size_of::<$name>()];
            bytes[$offset] = 1;
            let value: $name = unsafe { crate::Bits { from: bytes }.to };
            let field: [u8; std::mem::size_of::<$type>()] =
                unsafe { crate::Bits::<$type, _> { from: value.$field }.to };
            assert!(field[0] == 1);
        };
    };
}

macro_rules! zeroed {
    ($name:ident) => {
        impl Default for $name {
            fn default() -> Self {
                // Integers, floats and raw pointers: all of them may be zero.
                unsafe { std::mem::zeroed() }
            }
        }
    };
}

macro_rules! init {
    ($name:ident) => {
        impl Default for $name {
            fn default() -> Self {
                // Integers, floats, views and raw pointers: all of them may be zero.
                let mut zeroed: Self = unsafe { std::mem::zeroed() };
                zeroed.struct_size = std::mem::size_of::<Self>() as u32;
                zeroed
            }
        }
    };
}

#[rustfmt::skip]
mod bindings;
pub use bindings::*;
