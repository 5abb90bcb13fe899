//! Options of operations: open sets of numbers, as in C, so that a newer library's values can be passed as well. Zero
//! is the default that each names.
use vkv_sys as sys;

macro_rules! option {
    ($(#[$about:meta])* $name:ident { $($(#[$meaning:meta])* $constant:ident = $value:expr;)* }) => {
        $(#[$about])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
        pub struct $name(pub i32);
        impl $name {
            $($(#[$meaning])* pub const $constant: Self = Self($value);)*
        }
    };
}

option! {
    /// How `key_cache` and `value_cache` are shaped.
    CacheLayout {
        /// The default. `[num_blocks, block_size, num_kv_heads, head_dim]` by strides; head_dim is packed.
        STRIDED = sys::VKV_CACHE_LAYOUT_STRIDED;
        /// vLLM's paged layout, x = 16 / element bytes: K `[num_blocks, num_kv_heads, head_dim / x, block_size, x]`,
        /// V `[num_blocks, num_kv_heads, head_dim, block_size]`; block and head strides free, the rest packed.
        X_PACKED = sys::VKV_CACHE_LAYOUT_X_PACKED;
    }
}

option! {
    /// Order of the V block scales in an NVFP4 cache; only for such caches.
    Nvfp4Scales {
        /// The default.
        LINEAR = sys::VKV_NVFP4_SCALES_LINEAR;
        /// vLLM's 4-token swizzle; head_dim is a multiple of 64, block_size of 4.
        SWIZZLED = sys::VKV_NVFP4_SCALES_SWIZZLED;
    }
}

option! {
    /// How a stored block scale follows from the block's largest magnitude.
    ScaleRule {
        /// The default: the smallest power of two that is not below the exact scale.
        POW2 = sys::VKV_SCALE_RULE_POW2;
        /// The exact scale in float32.
        F32 = sys::VKV_SCALE_RULE_F32;
    }
}

option! {
    /// Which elements are rotated together.
    RopeStyle {
        /// The default: pairs (i, i + rot_dim / 2).
        NEOX = sys::VKV_ROPE_NEOX;
        /// Pairs (2i, 2i + 1).
        GPTJ = sys::VKV_ROPE_GPTJ;
    }
}
