//! The attention of one decode step: the tokens of three sequences are written into a paged cache, then one query token
//! of each attends to its sequence. The result is compared with a plain computation.
//!
//!     cargo run --example decode_step
use vkv::{Backend, Context, PagedAttention, ReshapeAndCacheFlash, Stream, Tensor, TensorMut, Workspace};

const HEADS: usize = 8; // of queries
const KV_HEADS: usize = 2;
const DIM: usize = 64;
const BLOCK_SIZE: usize = 16;
const NUM_BLOCKS: usize = 8;
const LENGTHS: [usize; 3] = [5, 16, 33];
const BLOCKS: [&[usize]; 3] = [&[7], &[6], &[5, 4, 3]]; // of each sequence, in order
const MAX_BLOCKS: usize = 3;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let tokens: usize = LENGTHS.iter().sum();
    let key = numbers(0, tokens * KV_HEADS * DIM);
    let value = numbers(1_000_000, tokens * KV_HEADS * DIM);
    let query = numbers(2_000_000, LENGTHS.len() * HEADS * DIM);

    let context = Context::new(Backend::Cpu)?;
    let cache_shape = [NUM_BLOCKS, BLOCK_SIZE, KV_HEADS, DIM];
    let mut key_cache = vec![0f32; cache_shape.iter().product()];
    let mut value_cache = key_cache.clone();
    let slots = slots();
    let mut write = ReshapeAndCacheFlash {
        key: Tensor::new(&key, &[tokens, KV_HEADS, DIM])?,
        value: Tensor::new(&value, &[tokens, KV_HEADS, DIM])?,
        key_cache: TensorMut::new(&mut key_cache, &cache_shape)?,
        value_cache: TensorMut::new(&mut value_cache, &cache_shape)?,
        slot_mapping: Tensor::from(&slots[..]),
        ..Default::default()
    };
    context.run(&mut write, Stream::DEFAULT)?;

    let lengths = LENGTHS.map(|length| length as i32);
    let table = block_table();
    let mut out = vec![0f32; query.len()];
    let mut attend = PagedAttention {
        query: Tensor::new(&query, &[LENGTHS.len(), HEADS, DIM])?,
        out: TensorMut::new(&mut out, &[LENGTHS.len(), HEADS, DIM])?,
        key_cache: Tensor::new(&key_cache, &cache_shape)?,
        value_cache: Tensor::new(&value_cache, &cache_shape)?,
        block_table: Tensor::new(&table, &[LENGTHS.len(), MAX_BLOCKS])?,
        seq_lens: Tensor::from(&lengths),
        ..Default::default()
    };
    let mut workspace = Workspace::new(context.workspace_size(&attend)?);
    attend.workspace = workspace.view();
    context.run(&mut attend, Stream::DEFAULT)?;
    if let Some(report) = context.read_device_report()? {
        return Err(report.into());
    }

    let expected = plain_attention(&query, &key, &value);
    let errors = out.iter().zip(&expected).map(|(got, want)| (f64::from(*got) - want).abs());
    // A NaN stays.
    let worst = errors.fold(0.0, |worst, error| if error > worst || error.is_nan() { error } else { worst });
    println!("decode step: max error {} over {} sequences", scientific(worst), LENGTHS.len());
    if worst <= 1e-5 {
        Ok(())
    } else {
        Err("the error is above 1e-5".into())
    }
}

/// Numbers between -0.5 and 0.5 that every language computes alike.
fn numbers(first: u64, count: usize) -> Vec<f32> {
    let number = |i: u64| ((i * 1_103_515_245 + 12_345) % (1 << 31)) as f64 / f64::from(1u32 << 31) - 0.5;
    (first..first + count as u64).map(|i| number(i) as f32).collect()
}

/// Where each token goes: its sequence's blocks in order.
fn slots() -> Vec<i64> {
    let slot = |blocks: &[usize], token: usize| (blocks[token / BLOCK_SIZE] * BLOCK_SIZE + token % BLOCK_SIZE) as i64;
    LENGTHS.iter().zip(BLOCKS).flat_map(|(length, blocks)| (0..*length).map(move |token| slot(blocks, token))).collect()
}

/// The sequences' blocks in rows of equal length; what follows a sequence's last block is never read.
fn block_table() -> Vec<i32> {
    let row = |blocks: &[usize]| (0..MAX_BLOCKS).map(|i| blocks.get(i).map_or(-1, |block| *block as i32)).collect();
    BLOCKS.iter().flat_map(|blocks| -> Vec<i32> { row(blocks) }).collect()
}

/// Attention over the packed tokens, without a cache.
fn plain_attention(query: &[f32], key: &[f32], value: &[f32]) -> Vec<f64> {
    let row = |numbers: &[f32], index: usize| -> Vec<f64> {
        numbers[index * DIM..][..DIM].iter().map(|number| f64::from(*number)).collect()
    };
    let mut out = Vec::new();
    let mut first = 0;
    for (sequence, length) in LENGTHS.iter().enumerate() {
        for head in 0..HEADS {
            let kv_head = head / (HEADS / KV_HEADS);
            let kv_rows: Vec<usize> = (first..first + length).map(|token| token * KV_HEADS + kv_head).collect();
            let q = row(query, sequence * HEADS + head);
            let dot = |k: Vec<f64>| q.iter().zip(k).map(|(a, b)| a * b).sum::<f64>() / (DIM as f64).sqrt();
            let weights: Vec<f64> = kv_rows.iter().map(|r| dot(row(key, *r)).exp()).collect();
            let total: f64 = weights.iter().sum();
            let mut mean = vec![0.0; DIM];
            for (r, weight) in kv_rows.iter().zip(&weights) {
                mean.iter_mut().zip(row(value, *r)).for_each(|(sum, v)| *sum += weight / total * v);
            }
            out.extend(mean);
        }
        first += length;
    }
    out
}

/// As C prints it by `%.1e`.
fn scientific(number: f64) -> String {
    let text = format!("{:.1e}", number);
    match text.split_once('e') {
        Some((digits, exponent)) => {
            let exponent: i32 = exponent.parse().unwrap_or(0);
            let sign = if exponent < 0 { '-' } else { '+' };
            format!("{}e{}{:02}", digits, sign, exponent.abs())
        }
        None => text,
    }
}
