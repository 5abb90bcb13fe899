//! The library that was found is one that these bindings are for.
use std::ffi::CStr;
use std::mem::size_of;

use vkv_sys::*;

#[test]
fn it_has_the_header_s_version() {
    let version = unsafe { vkv_version() } as i32;
    assert_eq!(version / 1_000_000, VKV_VERSION_MAJOR);
    assert!(version >= VKV_VERSION_MAJOR * 1_000_000 + VKV_VERSION_MINOR * 1_000 + VKV_VERSION_PATCH);
}

#[test]
fn defaults_are_vkv_init() {
    let params = vkv_paged_attention_params::default();
    assert_eq!((params.struct_size as usize, params.flags), (size_of::<vkv_paged_attention_params>(), 0));
    assert!(params.query.data.is_null() && params.query.ndim == 0 && params.workspace.is_null());
}

#[test]
fn a_refusal_has_a_sentence() {
    let mut context = std::ptr::null_mut();
    let params = vkv_context_params { backend: 99, ..Default::default() };
    let status = unsafe { vkv_context_create(&params, &mut context) };
    assert_eq!((status, context.is_null()), (VKV_ERROR_INVALID_ARGUMENT, true));
    let sentence = unsafe { CStr::from_ptr(vkv_last_error_message()) }.to_str().unwrap();
    assert!(sentence.contains("backend is 99"), "{}", sentence);
}
