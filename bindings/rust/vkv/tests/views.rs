//! Views lead the library to the right elements: parts of one allocation, strides, in-place work, and raw addresses.
use vkv::{
    Backend, Context, CopyBlocks, Dtype, MergeAttnStates, Op, ReportKind, ReshapeAndCacheFlash, Stream, SwapBlocks,
    SwapBlocksBatch, Tensor, TensorMut,
};

fn cpu() -> Context {
    Context::new(Backend::Cpu).unwrap()
}

#[test]
fn keys_and_values_in_one_allocation() {
    let (key, value) = ([1f32, 2.0, 3.0, 4.0], [5f32, 6.0, 7.0, 8.0]); // 2 tokens of 1 head of 2 dims
    let mut pool = [0f32; 3 * 2 * 2 * 2]; // 3 blocks, K and V, 2 tokens, 1 head, 2 dims
    let (k, v) = TensorMut::new(&mut pool, &[3, 2, 2, 1, 2]).unwrap().split_at(1, 1).unwrap();
    let mut write = ReshapeAndCacheFlash {
        key: Tensor::new(&key, &[2, 1, 2]).unwrap(),
        value: Tensor::new(&value, &[2, 1, 2]).unwrap(),
        key_cache: k.select(1, 0).unwrap(),
        value_cache: v.select(1, 0).unwrap(),
        slot_mapping: Tensor::from(&[5i64, 2]), // block 2, second token; block 1, first token
        ..Default::default()
    };
    cpu().run(&mut write, Stream::DEFAULT).unwrap();
    let mut expected = [0f32; 24];
    expected[8..10].copy_from_slice(&key[2..]);
    expected[12..14].copy_from_slice(&value[2..]);
    expected[18..20].copy_from_slice(&key[..2]);
    expected[22..24].copy_from_slice(&value[..2]);
    assert_eq!(pool, expected);
}

#[test]
fn splitting_an_empty_part_and_reading_back() {
    let mut numbers = [1f32, 2.0, 3.0, 4.0];
    let (none, mut all) = TensorMut::new(&mut numbers, (&[2, 2], &[1, 2])).unwrap().split_at(0, 0).unwrap();
    assert!(none.select(1, 1).is_ok());
    let src = [9f32, 8.0];
    let mut copy = SwapBlocks {
        src: Tensor::new(&src, &[2, 1]).unwrap(),
        dst: all.reborrow().select(1, 1).unwrap(), // numbers[2..4]
        block_mapping: Tensor::new(&[0i64, 1], &[1, 2]).unwrap(),
        ..Default::default()
    };
    // Blocks of one element: rank 1 is a block each.
    copy.src = Tensor::from(&src);
    cpu().run(&mut copy, Stream::DEFAULT).unwrap();
    let read = all.as_tensor();
    let mut out = [0f32; 4];
    let mut copy = SwapBlocks {
        src: read.select(1, 1).unwrap(),
        dst: TensorMut::new(&mut out, &[4]).unwrap(),
        block_mapping: Tensor::new(&[0i64, 0, 1, 3], &[2, 2]).unwrap(),
        ..Default::default()
    };
    cpu().run(&mut copy, Stream::DEFAULT).unwrap();
    assert_eq!(out, [3.0, 0.0, 0.0, 9.0]);
    assert_eq!(numbers, [1.0, 2.0, 3.0, 9.0]);
}

#[test]
fn merging_in_place() {
    let (mut prefix, suffix) = ([2f32; 2], [4f32; 2]);
    let output = TensorMut::new(&mut prefix, &[1, 1, 2]).unwrap();
    let mut merge = MergeAttnStates {
        prefix_output: unsafe { output.alias() },
        output,
        prefix_lse: Tensor::new(&[0.5f32], &[1, 1]).unwrap(),
        suffix_output: Tensor::new(&suffix, &[1, 1, 2]).unwrap(),
        suffix_lse: Tensor::new(&[0.5f32], &[1, 1]).unwrap(),
        ..Default::default()
    };
    cpu().run(&mut merge, Stream::DEFAULT).unwrap();
    assert_eq!(prefix, [3.0; 2]);
}

#[test]
fn a_number_out_of_range_is_reported() {
    let (key, mut k_cache, mut v_cache) = ([1f32, 2.0], [0f32; 4], [0f32; 4]);
    let mut write = ReshapeAndCacheFlash {
        key: Tensor::new(&key, &[2, 1, 1]).unwrap(),
        value: Tensor::new(&key, &[2, 1, 1]).unwrap(),
        key_cache: TensorMut::new(&mut k_cache, &[2, 2, 1, 1]).unwrap(),
        value_cache: TensorMut::new(&mut v_cache, &[2, 2, 1, 1]).unwrap(),
        slot_mapping: Tensor::from(&[3i64, 4]),
        ..Default::default()
    };
    let context = cpu();
    context.run(&mut write, Stream::DEFAULT).unwrap();
    let report = context.read_device_report().unwrap().unwrap();
    assert_eq!((report.count, report.what), (1, ReportKind::SLOT));
    assert_eq!((report.index, report.value, report.limit), (1, 4, 4));
    assert_eq!(report.op.to_string(), "reshape_and_cache_flash");
    assert!(!report.message.is_empty() && Box::<dyn std::error::Error>::from(report).to_string().contains('4'));
    assert_eq!(context.read_device_report().unwrap(), None);
    assert_eq!(Op(999).to_string(), "unknown op");
    assert_eq!(k_cache, [0.0, 0.0, 0.0, 1.0]);
}

#[test]
fn copies_by_address() {
    let context = cpu();
    let (src, mut dst) = ([1u8, 2, 3, 4, 5, 6], [0u8; 6]);
    let (first, second) = (src.as_ptr() as i64, dst.as_mut_ptr() as i64);
    let (src_ptrs, dst_ptrs) = ([first, first + 4], [second + 3, second]);
    let mut batch = SwapBlocksBatch {
        src_ptrs: Tensor::from(&src_ptrs),
        dst_ptrs: Tensor::from(&dst_ptrs),
        sizes: Tensor::from(&[3i64, 2]),
        ..Default::default()
    };
    unsafe { context.run_unchecked(&mut batch, Stream::DEFAULT) }.unwrap();
    assert_eq!(dst, [5, 6, 0, 1, 2, 3]);

    let (mut keys, mut values) = ([1u16, 2, 3, 4, 5, 6], [7u16, 8, 9, 10, 11, 12]); // 3 blocks of 2 each
    let (key_caches, value_caches) = ([keys.as_mut_ptr() as i64], [values.as_mut_ptr() as i64]);
    let mut copy = CopyBlocks {
        key_caches: Tensor::from(&key_caches),
        value_caches: Tensor::from(&value_caches),
        block_mapping: Tensor::new(&[0i64, 2], &[1, 2]).unwrap(),
        num_blocks: 3,
        block_size_in_bytes: 4,
        ..Default::default()
    };
    unsafe { context.run_unchecked(&mut copy, Stream::DEFAULT) }.unwrap();
    assert_eq!((keys, values), ([1, 2, 3, 4, 1, 2], [7, 8, 9, 10, 7, 8]));
}

#[test]
fn raw_views_are_as_good_as_slices() {
    let (src, mut dst) = ([1.5f32, -2.0], [0u8; 2]);
    let mut convert = vkv::ConvertFp8 {
        dst: unsafe { TensorMut::from_raw(dst.as_mut_ptr().cast(), Dtype::Fp8E4m3, &[2]) }.unwrap(),
        src: unsafe { Tensor::from_raw(src.as_ptr().cast(), Dtype::F32, &[2]) }.unwrap(),
        ..Default::default()
    };
    cpu().run(&mut convert, Stream::DEFAULT).unwrap();
    assert_eq!(dst, [0x3c, 0xc0]);
}
