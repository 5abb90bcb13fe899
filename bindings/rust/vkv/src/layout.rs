//! Shapes and strides, and the bounds of what they reach.
use vkv_sys as sys;

use crate::error::{Error, Result};

/// Most dimensions of a tensor.
pub const MAX_DIMS: usize = sys::VKV_MAX_DIMS as usize;

/// A shape, and strides in elements where the tensor is not row-major compact. Made from `&[2, 3]` (a shape) or
/// `(&[2, 3], &[8, 1])` (shape and strides). Strides that are all zero mean compact, as in C.
#[derive(Clone, Copy, Debug)]
pub struct Layout<'l> {
    shape: &'l [usize],
    strides: Option<&'l [usize]>,
}

impl<'l> From<&'l [usize]> for Layout<'l> {
    fn from(shape: &'l [usize]) -> Self {
        Layout { shape, strides: None }
    }
}

impl<'l, const N: usize> From<&'l [usize; N]> for Layout<'l> {
    fn from(shape: &'l [usize; N]) -> Self {
        Layout { shape, strides: None }
    }
}

impl<'l> From<(&'l [usize], &'l [usize])> for Layout<'l> {
    fn from((shape, strides): (&'l [usize], &'l [usize])) -> Self {
        Layout { shape, strides: Some(strides) }
    }
}

impl<'l, const N: usize> From<(&'l [usize; N], &'l [usize; N])> for Layout<'l> {
    fn from((shape, strides): (&'l [usize; N], &'l [usize; N])) -> Self {
        Layout { shape, strides: Some(strides) }
    }
}

/// One number for each dimension; the rest is zero.
pub(crate) type Extents = [i64; MAX_DIMS];

impl Layout<'_> {
    pub(crate) fn ndim(&self) -> usize {
        self.shape.len()
    }

    /// Shape and strides as C takes them, not interpreted. Numbers past `i64::MAX` become negative, which the library
    /// refuses.
    pub(crate) fn extents(&self) -> Result<(Extents, Extents)> {
        let ndim = self.shape.len();
        let strides = self.strides.unwrap_or(&[]);
        if ndim > MAX_DIMS {
            return Err(Error::invalid(format!("the shape has {} dimensions, expected at most {}", ndim, MAX_DIMS)));
        }
        if self.strides.is_some() && strides.len() != ndim {
            return Err(Error::invalid(format!("{} strides are given for {} dimensions", strides.len(), ndim)));
        }
        let fill = |numbers: &[usize]| {
            let mut extents = Extents::default();
            for (extent, number) in extents.iter_mut().zip(numbers) {
                *extent = *number as i64;
            }
            extents
        };
        Ok((fill(self.shape), fill(strides)))
    }
}

/// The strides that the library reads: those given or, if they are all zero, the compact ones.
pub(crate) fn resolve(shape: &[i64], strides: &Extents) -> Result<Extents> {
    if strides.iter().any(|stride| *stride != 0) {
        return Ok(*strides);
    }
    let mut compact = Extents::default();
    let mut step = 1i64;
    for (stride, extent) in compact.iter_mut().zip(shape).rev() {
        *stride = step;
        step = step.checked_mul((*extent).max(1)).ok_or_else(too_large)?;
    }
    Ok(compact)
}

/// Elements from the first to the end of the last; 0 if there are none.
pub(crate) fn reach(shape: &[i64], strides: &Extents) -> Result<i64> {
    if shape.iter().chain(strides).any(|number| *number < 0) {
        return Err(too_large());
    }
    if shape.contains(&0) {
        return Ok(0);
    }
    let mut last = 0i64;
    for (extent, stride) in shape.iter().zip(strides) {
        let steps = (extent - 1).checked_mul(*stride).ok_or_else(too_large)?;
        last = last.checked_add(steps).ok_or_else(too_large)?;
    }
    last.checked_add(1).ok_or_else(too_large)
}

/// No two indices name the same element, as far as sorting the strides can tell: each must step over all that the
/// smaller ones reach.
pub(crate) fn is_injective(shape: &[i64], strides: &Extents) -> bool {
    let mut steps: Vec<(i64, i64)> =
        strides.iter().zip(shape).map(|(s, n)| (*s, *n)).filter(|(_, extent)| *extent > 1).collect();
    steps.sort_unstable();
    let mut reached = 0;
    shape.contains(&0)
        || steps.iter().all(|(stride, extent)| {
            let free = *stride > reached;
            reached += (extent - 1) * stride;
            free
        })
}

fn too_large() -> Error {
    Error::invalid("the tensor spans more than 2^63 elements")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn extents(numbers: &[i64]) -> Extents {
        let mut extents = Extents::default();
        extents[..numbers.len()].copy_from_slice(numbers);
        extents
    }

    #[test]
    fn compact_strides_and_reach() {
        assert_eq!(resolve(&[2, 3, 4], &extents(&[])).unwrap(), extents(&[12, 4, 1]));
        assert_eq!(resolve(&[2, 0, 4], &extents(&[])).unwrap(), extents(&[4, 4, 1]));
        assert_eq!(resolve(&[2, 3], &extents(&[0, 1])).unwrap(), extents(&[0, 1]));
        assert_eq!(reach(&[2, 3, 4], &extents(&[12, 4, 1])).unwrap(), 24);
        assert_eq!(reach(&[2, 3], &extents(&[10, 2])).unwrap(), 15);
        assert_eq!(reach(&[5, 3], &extents(&[0, 1])).unwrap(), 3);
        assert_eq!(reach(&[0, 3], &extents(&[99, 1])).unwrap(), 0);
        assert!(reach(&[i64::MAX, 3], &extents(&[i64::MAX, 1])).is_err());
        assert!(reach(&[-1], &extents(&[1])).is_err());
        assert!(resolve(&[i64::MAX, i64::MAX, 2], &extents(&[])).is_err());
    }

    #[test]
    fn overlap_is_seen() {
        assert!(is_injective(&[2, 3, 4], &extents(&[12, 4, 1])));
        assert!(is_injective(&[2, 3, 4], &extents(&[1, 8, 2])));
        assert!(is_injective(&[1, 3], &extents(&[0, 1])));
        assert!(!is_injective(&[2, 3], &extents(&[0, 1])));
        assert!(!is_injective(&[2, 3], &extents(&[2, 1])));
        assert!(is_injective(&[0, 3], &extents(&[0, 0])));
    }

    #[test]
    fn too_many_dimensions_or_strides() {
        assert!(Layout::from(&[1usize; 7]).extents().is_err());
        assert!(Layout::from((&[1usize, 2][..], &[1usize][..])).extents().is_err());
    }
}
