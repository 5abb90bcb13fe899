//! The tensors and numbers of a case, handed out by the names of their fields; what nobody asks for is a mistake.
use std::collections::{HashMap, HashSet};
use std::str::FromStr;

use vkv::{Dtype, Layout, Tensor, TensorMut};

use crate::case::{read, Case, TensorLine};

/// Bytes aligned for every dtype.
pub struct Storage {
    words: Vec<u128>,
    len: usize,
}

impl Storage {
    pub fn new(bytes: &[u8]) -> Self {
        let mut words = vec![0u128; (bytes.len() + 15) / 16];
        for (word, chunk) in words.iter_mut().zip(bytes.chunks(16)) {
            let mut whole = [0; 16];
            whole[..chunk.len()].copy_from_slice(chunk);
            *word = u128::from_ne_bytes(whole);
        }
        Storage { words, len: bytes.len() }
    }

    pub fn bytes(&self) -> Vec<u8> {
        self.words.iter().flat_map(|word| word.to_ne_bytes()).take(self.len).collect()
    }

    fn as_mut_slice(&mut self) -> &mut [u8] {
        // Plain bytes inside the words.
        unsafe { std::slice::from_raw_parts_mut(self.words.as_mut_ptr().cast(), self.len) }
    }
}

pub struct Arguments<'a> {
    case: &'a Case,
    slices: HashMap<&'a str, &'a mut [u8]>,
    asked: HashSet<&'static str>,
}

impl<'a> Arguments<'a> {
    /// `storages` holds the bytes of the case's tensors, in order.
    pub fn new(case: &'a Case, storages: &'a mut [Storage]) -> Self {
        let fields = case.tensors.iter().map(|tensor| tensor.field.as_str());
        let slices = fields.zip(storages.iter_mut().map(Storage::as_mut_slice)).collect();
        Arguments { case, slices, asked: HashSet::new() }
    }

    /// Fails where the case has a field that was not asked for.
    pub fn finish(&self) -> Result<(), String> {
        let tensors = self.case.tensors.iter().map(|tensor| &tensor.field);
        let mut fields = tensors.chain(self.case.scalars.iter().map(|(field, _)| field));
        match fields.find(|field| !self.asked.contains(field.as_str())) {
            Some(field) => Err(format!("{} has no field {}", self.case.op, field)),
            None => Ok(()),
        }
    }

    fn line(&mut self, field: &'static str) -> Option<(&'a TensorLine, Layout<'a>)> {
        self.asked.insert(field);
        let line = self.case.tensors.iter().find(|line| line.field == field)?;
        let layout = match &line.strides {
            Some(strides) => Layout::from((&line.shape[..], &strides[..])),
            None => Layout::from(&line.shape[..]),
        };
        Some((line, layout))
    }

    /// Cases that succeed must pass as views of slices, too; those that are refused come to the library as they are.
    fn is_sound(&self, line: &TensorLine) -> bool {
        self.case.status == 0 && line.bytes.is_some()
    }

    pub fn input(&mut self, field: &'static str) -> Result<Tensor<'a>, String> {
        let (line, layout) = match self.line(field) {
            Some(found) => found,
            None => return Ok(Tensor::default()),
        };
        let slice = self.slices.remove(field).ok_or_else(|| format!("{} is there twice", field))?;
        let view = if self.is_sound(line) {
            Tensor::with_dtype(slice, line.dtype, layout)
        } else {
            unsafe { Tensor::from_raw(pointer(line, slice).cast(), line.dtype, layout) }
        };
        view.map_err(|error| format!("{}: {}", field, error))
    }

    pub fn output(&mut self, field: &'static str) -> Result<TensorMut<'a>, String> {
        let (line, layout) = match self.line(field) {
            Some(found) => found,
            None => return Ok(TensorMut::default()),
        };
        let slice = self.slices.remove(field).ok_or_else(|| format!("{} is there twice", field))?;
        let view = if self.is_sound(line) {
            TensorMut::with_dtype(slice, line.dtype, layout)
        } else {
            unsafe { TensorMut::from_raw(pointer(line, slice).cast(), line.dtype, layout) }
        };
        view.map_err(|error| format!("{}: {}", field, error))
    }

    /// Zero where the case does not give it.
    pub fn number<T: FromStr + Default>(&mut self, field: &'static str) -> Result<T, String> {
        Ok(self.given(field)?.unwrap_or_default())
    }

    pub fn given<T: FromStr>(&mut self, field: &'static str) -> Result<Option<T>, String> {
        self.asked.insert(field);
        let value = self.case.scalars.iter().find(|(name, _)| name == field);
        value.map(|(_, text)| read(text)).transpose()
    }
}

fn pointer(line: &TensorLine, slice: &mut [u8]) -> *mut u8 {
    line.bytes.as_ref().map_or(std::ptr::null_mut(), |_| slice.as_mut_ptr())
}

/// The elements of a storage as numbers.
pub fn numbers(bytes: &[u8], dtype: Dtype) -> Vec<f64> {
    let half = |bits: u16| {
        let (exponent, fraction) = (i32::from(bits >> 10 & 31), f64::from(bits & 1023));
        let magnitude = match exponent {
            0 => fraction * 2f64.powi(-24),
            31 if fraction == 0.0 => f64::INFINITY,
            31 => f64::NAN,
            _ => (1024.0 + fraction) * 2f64.powi(exponent - 25),
        };
        if bits >> 15 == 1 {
            -magnitude
        } else {
            magnitude
        }
    };
    let number = |element: &[u8]| match dtype {
        Dtype::F32 => f64::from(f32::from_le_bytes([element[0], element[1], element[2], element[3]])),
        Dtype::Bf16 => f64::from(f32::from_le_bytes([0, 0, element[0], element[1]])),
        Dtype::F16 => half(u16::from_le_bytes([element[0], element[1]])),
        other => panic!("{} elements are compared byte for byte", other),
    };
    bytes.chunks(dtype.size()).map(number).collect()
}

#[test]
fn half_precision() {
    let bits = [0x3c00u16, 0xc000, 0x0001, 0x7bff, 0xfc00];
    let bytes: Vec<u8> = bits.iter().flat_map(|bits| bits.to_le_bytes()).collect();
    assert_eq!(numbers(&bytes, Dtype::F16), [1.0, -2.0, 2f64.powi(-24), 65504.0, f64::NEG_INFINITY]);
}
