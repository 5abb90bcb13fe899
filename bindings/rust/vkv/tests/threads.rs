//! One context serves many threads; each sees the message of its own failure.
use std::thread;

use vkv::{Backend, ConcatMlaQ, Context, Status, Stream, Tensor, TensorMut};

const THREADS: usize = 16;
const ROUNDS: usize = 200;

#[test]
fn calls_and_messages_of_many_threads() {
    let context = Context::new(Backend::Cpu).unwrap();
    thread::scope(|scope| {
        for id in 0..THREADS {
            let context = &context;
            scope.spawn(move || (0..ROUNDS).for_each(|_| one_call_and_one_refusal(context, id)));
        }
    });
    assert_eq!(context.read_device_report().unwrap(), None);
}

fn one_call_and_one_refusal(context: &Context, id: usize) {
    let nope = vec![id as f32; 3 * 8];
    let rope = vec![-(id as f32); 3 * 4];
    let mut out = vec![f32::NAN; 3 * 12];
    let mut concat = ConcatMlaQ {
        ql_nope: Tensor::new(&nope, &[3, 1, 8]).unwrap(),
        q_pe: Tensor::new(&rope, &[3, 1, 4]).unwrap(),
        q_out: TensorMut::new(&mut out, &[3, 1, 12]).unwrap(),
    };
    context.run(&mut concat, Stream::DEFAULT).unwrap();

    let wide = vec![0f32; 3 * (100 + id)];
    concat.q_pe = Tensor::new(&wide, &[3, 1, 100 + id]).unwrap();
    let error = context.run(&mut concat, Stream::DEFAULT).unwrap_err();
    assert_eq!(error.status(), Status::InvalidArgument);
    let expected = format!("q_out.shape[2] is 12, expected {}", 108 + id);
    assert!(error.message().contains(&expected), "{} lacks '{}'", error, expected);

    for token in out.chunks(12) {
        assert!(token[..8].iter().all(|x| *x == id as f32) && token[8..].iter().all(|x| *x == -(id as f32)));
    }
}

#[test]
fn contexts_views_and_errors_go_to_other_threads() {
    fn moves<T: Send + Sync + 'static>() {}
    moves::<Context>();
    moves::<Tensor<'static>>();
    moves::<TensorMut<'static>>();
    moves::<ConcatMlaQ<'static>>();
    moves::<vkv::Error>();

    let context = Context::new(Backend::Cpu).unwrap();
    thread::spawn(move || drop(context)).join().unwrap();
}
