//! A golden case and its text, as tests/golden/README.md of the library defines it. Knows the format, not the
//! operations.
use std::str::FromStr;

use vkv::Dtype;

#[derive(Default)]
pub struct Case {
    pub name: String,
    pub op: String,
    pub tensors: Vec<TensorLine>,
    pub scalars: Vec<(String, String)>,
    pub status: i32,
    pub message: String,
    pub expectations: Vec<Expectation>,
    /// Name of the kind in the header, and count.
    pub report: Option<(String, u64)>,
}

pub struct TensorLine {
    pub field: String,
    pub dtype: Dtype,
    pub shape: Vec<usize>,
    /// None: all zero in the struct.
    pub strides: Option<Vec<usize>>,
    /// None: a null pointer.
    pub bytes: Option<Vec<u8>>,
}

pub struct Expectation {
    pub field: String,
    /// Relative L2 distance and dtype of the elements in `bytes`; None: byte for byte.
    pub close: Option<(f64, Dtype)>,
    pub bytes: Vec<u8>,
}

pub fn parse(text: &str) -> Result<Vec<Case>, String> {
    let mut cases = Vec::new();
    let mut open: Option<Case> = None;
    for (number, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let (directive, rest) = line.split_once(' ').unwrap_or((line, ""));
        let outcome = match (directive, open.as_mut()) {
            ("case", None) => {
                open = Some(Case { name: rest.to_string(), ..Case::default() });
                Ok(())
            }
            ("end", Some(_)) => {
                cases.extend(open.take());
                Ok(())
            }
            (_, Some(case)) => read_line(case, directive, rest),
            _ => Err(format!("{} outside a case, or inside another", directive)),
        };
        outcome.map_err(|complaint| format!("line {}: {}", number + 1, complaint))?;
    }
    match open {
        Some(case) => Err(format!("case {} does not end", case.name)),
        None => Ok(cases),
    }
}

fn read_line(case: &mut Case, directive: &str, rest: &str) -> Result<(), String> {
    if directive == "message" {
        case.message = rest.to_string(); // a sentence
        return Ok(());
    }
    let words: Vec<&str> = rest.split_whitespace().collect();
    match (directive, words.as_slice()) {
        ("op", [name]) => case.op = name.to_string(),
        ("tensor", [field, dtype, shape, strides, bytes]) => case.tensors.push(TensorLine {
            field: field.to_string(),
            dtype: read_dtype(dtype)?,
            shape: if *shape == "-" { Vec::new() } else { read_list(shape)? },
            strides: if *strides == "-" { None } else { Some(read_list(strides)?) },
            bytes: if *bytes == "null" { None } else { Some(read_bytes(bytes)?) },
        }),
        ("scalar", [field, value]) => case.scalars.push((field.to_string(), value.to_string())),
        ("status", [number]) => case.status = read(number)?,
        ("expect", [field, "exact", bytes]) => {
            case.expectations.push(Expectation { field: field.to_string(), close: None, bytes: read_bytes(bytes)? })
        }
        ("expect", [field, "close", distance, dtype, bytes]) => case.expectations.push(Expectation {
            field: field.to_string(),
            close: Some((read(distance)?, read_dtype(dtype)?)),
            bytes: read_bytes(bytes)?,
        }),
        ("report", [what, count]) => case.report = Some((what.to_string(), read(count)?)),
        _ => return Err(format!("'{} {}' is not understood", directive, rest)),
    }
    Ok(())
}

pub fn read<T: FromStr>(word: &str) -> Result<T, String> {
    word.parse().map_err(|_| format!("'{}' is not the number it should be", word))
}

/// Negative numbers wrap: they arrive in C as they are written here.
fn read_list(word: &str) -> Result<Vec<usize>, String> {
    word.split(',').map(|number| read::<i64>(number).map(|number| number as usize)).collect()
}

fn read_dtype(word: &str) -> Result<Dtype, String> {
    let found = Dtype::ALL.iter().find(|dtype| dtype.to_string() == word);
    found.copied().ok_or_else(|| format!("'{}' is no dtype", word))
}

fn read_bytes(word: &str) -> Result<Vec<u8>, String> {
    if let Some(count) = word.strip_prefix("zero:") {
        return Ok(vec![0; read(count)?]);
    }
    let digits: Option<Vec<u8>> = word.chars().map(|c| c.to_digit(16).map(|digit| digit as u8)).collect();
    match digits {
        Some(digits) if digits.len() % 2 == 0 => Ok(digits.chunks(2).map(|pair| pair[0] * 16 + pair[1]).collect()),
        _ => Err(format!("'{}' is no run of bytes in hex", word)),
    }
}
