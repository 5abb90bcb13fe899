//! Mistakes are refused with the status and the sentence that say so, by the views or by the library; nothing is
//! written.
use vkv::{
    Backend, ConcatMlaQ, Context, ContextOptions, Dtype, Error, PagedAttention, ReshapeAndCacheFlash, Status, Stream,
    SwapBlocks, Tensor, TensorMut, Workspace,
};

fn cpu() -> Context {
    Context::new(Backend::Cpu).unwrap()
}

#[track_caller]
fn expect(error: Error, status: Status, sentence: &str) {
    assert_eq!(error.status(), status, "{}", error);
    assert!(error.message().contains(sentence), "'{}' lacks '{}'", error, sentence);
}

#[test]
fn a_wrong_stride() {
    let (nope, rope, mut out) = (vec![1f32; 16], vec![2f32; 4], vec![7f32; 24]);
    let mut concat = ConcatMlaQ {
        ql_nope: Tensor::new(&nope, (&[2, 1, 4], &[8, 8, 2])).unwrap(), // fits its slice, but is not packed
        q_pe: Tensor::new(&rope, &[2, 1, 2]).unwrap(),
        q_out: TensorMut::new(&mut out, &[2, 1, 6]).unwrap(),
    };
    let sentence = "ql_nope.stride[2] is 2, expected 1";
    expect(cpu().supported(&concat).unwrap_err(), Status::InvalidArgument, sentence);
    expect(cpu().run(&mut concat, Stream::DEFAULT).unwrap_err(), Status::InvalidArgument, sentence);
    assert!(out.iter().all(|x| *x == 7.0));
}

#[test]
fn a_wrong_dtype() {
    let (nope, rope, mut out) = (vec![1f32; 8], vec![2u16; 4], vec![7f32; 12]);
    let mut concat = ConcatMlaQ {
        ql_nope: Tensor::new(&nope, &[2, 1, 4]).unwrap(),
        q_pe: Tensor::with_dtype(&rope, Dtype::Bf16, &[2, 1, 2]).unwrap(),
        q_out: TensorMut::new(&mut out, &[2, 1, 6]).unwrap(),
    };
    let error = cpu().run(&mut concat, Stream::DEFAULT).unwrap_err();
    expect(error, Status::InvalidArgument, "q_pe.dtype is bf16, expected f32");
    assert!(out.iter().all(|x| *x == 7.0));
}

#[test]
fn an_absent_tensor() {
    let mut nothing = ConcatMlaQ::default();
    let error = cpu().run(&mut nothing, Stream::DEFAULT).unwrap_err();
    expect(error, Status::InvalidArgument, "ql_nope is absent, it is required");
}

#[test]
fn views_that_leave_their_slice() {
    let mut numbers = [0f32; 12];
    expect(Tensor::new(&numbers, &[3, 5]).unwrap_err(), Status::InvalidArgument, "reaches 60 bytes, the slice has 48");
    expect(Tensor::new(&numbers, (&[3, 4], &[5, 1])).unwrap_err(), Status::InvalidArgument, "reaches 56 bytes");
    expect(Tensor::new(&numbers, &[usize::MAX, 2]).unwrap_err(), Status::InvalidArgument, "spans");
    expect(Tensor::new(&numbers, &[1 << 40, 1 << 40]).unwrap_err(), Status::InvalidArgument, "2^63");
    expect(Tensor::new(&numbers, &[]).unwrap_err(), Status::InvalidArgument, "no dimensions");
    expect(Tensor::new(&numbers, &[1; 7]).unwrap_err(), Status::InvalidArgument, "7 dimensions");
    // Strides that are all zero mean compact in C, so they must not pass as a broadcast.
    expect(Tensor::new(&numbers, (&[13], &[0])).unwrap_err(), Status::InvalidArgument, "reaches 52 bytes");
    let broadcast = Tensor::new(&numbers, (&[99, 12], &[0, 1])).unwrap();
    expect(broadcast.select(1, 3).unwrap_err(), Status::InvalidArgument, "would mean compact");
    expect(broadcast.select(0, 99).unwrap_err(), Status::InvalidArgument, "index 99 is outside dimension 0 of 99");
    expect(broadcast.select(2, 0).unwrap_err(), Status::InvalidArgument, "no dimension 2");
    expect(Tensor::from(&numbers).select(0, 0).unwrap_err(), Status::InvalidArgument, "only dimension");

    expect(TensorMut::new(&mut numbers, (&[2, 4], &[2, 1])).unwrap_err(), Status::InvalidArgument, "overlaps itself");
    let view = TensorMut::new(&mut numbers, &[3, 4]).unwrap();
    expect(view.split_at(0, 4).unwrap_err(), Status::InvalidArgument, "index 4 is outside dimension 0 of 3");

    let bytes = [0u32; 2];
    let unaligned = unsafe { std::slice::from_raw_parts(bytes.as_ptr().cast::<u8>().add(1), 4) };
    expect(
        Tensor::with_dtype(unaligned, Dtype::Bf16, &[2]).unwrap_err(),
        Status::InvalidArgument,
        "alignment to 2 bytes",
    );
    assert!(Tensor::with_dtype(unaligned, Dtype::Fp8E5m2, &[4]).is_ok());
}

#[test]
fn a_workspace_too_small() {
    // Long enough that its work is split, which takes scratch memory.
    let (blocks, tokens) = (64, 1024);
    let cache = vec![0f32; tokens * 8];
    let (query, mut out) = (vec![0f32; 8], vec![7f32; 8]);
    let table: Vec<i32> = (0..blocks as i32).collect();
    let mut attend = PagedAttention {
        query: Tensor::new(&query, &[1, 1, 8]).unwrap(),
        out: TensorMut::new(&mut out, &[1, 1, 8]).unwrap(),
        key_cache: Tensor::new(&cache, &[blocks, 16, 1, 8]).unwrap(),
        value_cache: Tensor::new(&cache, &[blocks, 16, 1, 8]).unwrap(),
        block_table: Tensor::new(&table, &[1, blocks]).unwrap(),
        seq_lens: Tensor::from(&[1024i32]),
        ..Default::default()
    };
    let context = cpu();
    let needed = context.workspace_size(&attend).unwrap();
    assert!(needed > 0);
    expect(context.run(&mut attend, Stream::DEFAULT).unwrap_err(), Status::WorkspaceTooSmall, "workspace_size is 0");
    let mut workspace = Workspace::new(needed);
    attend.workspace = workspace.view();
    context.run(&mut attend, Stream::DEFAULT).unwrap();
    assert!(out.iter().all(|x| *x == 0.0));
}

#[test]
fn a_bad_row_of_a_block_mapping() {
    let (src, mut dst) = ([1u8, 2, 3], [0u8; 3]);
    let mut swap = SwapBlocks {
        src: Tensor::new(&src, &[3, 1]).unwrap(),
        dst: TensorMut::new(&mut dst, &[3, 1]).unwrap(),
        block_mapping: Tensor::new(&[0i64, 1, 5, 2], &[2, 2]).unwrap(),
        ..Default::default()
    };
    let error = cpu().run(&mut swap, Stream::DEFAULT).unwrap_err();
    expect(error, Status::InvalidArgument, "block_mapping[1][0] is 5");
    assert_eq!(dst, [0; 3]);
}

#[test]
fn contexts_that_cannot_be() {
    let cuda = ContextOptions { backend: Backend::Cuda, device: 4096, ..Default::default() };
    let error = Context::with_options(&cuda).unwrap_err();
    assert_eq!(error.status(), Status::NoDevice);
    assert!(error.status().is_unavailable());
    let options = ContextOptions { backend: Backend::Cpu, num_threads: -1, ..Default::default() };
    expect(Context::with_options(&options).unwrap_err(), Status::InvalidArgument, "num_threads is -1");
    let options = ContextOptions { backend: Backend::Cpu, device: 1, ..Default::default() };
    expect(Context::with_options(&options).unwrap_err(), Status::InvalidArgument, "device is 1");
    let options = ContextOptions { backend: Backend::Cpu, num_threads: 2, ..Default::default() };
    let info = Context::with_options(&options).unwrap().info().unwrap();
    assert_eq!((info.backend, info.num_threads), (Backend::Cpu, 2));
}

#[test]
fn questions_look_at_no_memory() {
    let null = std::ptr::null_mut();
    let tensor = |shape: &[usize]| unsafe { Tensor::from_raw(null, Dtype::F16, shape) }.unwrap();
    let output = |shape: &[usize]| unsafe { TensorMut::from_raw(null, Dtype::Fp8E4m3, shape) }.unwrap();
    let mut write = ReshapeAndCacheFlash {
        key: tensor(&[3, 2, 64]),
        value: tensor(&[3, 2, 64]),
        key_cache: output(&[8, 16, 2, 64]),
        value_cache: output(&[8, 16, 2, 64]),
        slot_mapping: unsafe { Tensor::from_raw(null, Dtype::I64, &[3]) }.unwrap(),
        ..Default::default()
    };
    let context = cpu();
    context.supported(&write).unwrap();
    expect(context.run(&mut write, Stream::DEFAULT).unwrap_err(), Status::InvalidArgument, "slot_mapping.data is null");
}
