//! The tensor of the C interface, with the bounds checks that make a view of a slice safe.
use std::os::raw::c_void;

use vkv_sys as sys;

use crate::dtype::Dtype;
use crate::error::{Error, Result};
use crate::layout::{is_injective, reach, resolve, Layout};

#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct View {
    pub raw: sys::vkv_tensor,
    /// Borrowed from a slice of this program.
    pub host: bool,
}

impl View {
    pub fn of_raw(data: *mut c_void, dtype: Dtype, layout: Layout<'_>, host: bool) -> Result<Self> {
        let (shape, stride) = layout.extents()?;
        let raw = sys::vkv_tensor { data, dtype: dtype as i32, ndim: layout.ndim() as i32, shape, stride };
        Ok(View { raw, host })
    }

    /// Strides are explicit, and all that they reach is in the slice.
    pub fn of_slice<T>(data: *const T, len: usize, dtype: Dtype, layout: Layout<'_>) -> Result<Self> {
        let mut view = Self::of_raw(data as *mut c_void, dtype, layout, true)?;
        if layout.ndim() == 0 {
            return Err(Error::invalid("the shape has no dimensions, expected 1 to 6"));
        }
        let size = dtype.size();
        if data as usize % size != 0 {
            return Err(Error::invalid(format!("the slice is at {:p}, expected alignment to {} bytes", data, size)));
        }
        view.raw.stride = resolve(view.shape(), &view.raw.stride)?;
        let reached = reach(view.shape(), &view.raw.stride)? as u128 * size as u128;
        let held = len * std::mem::size_of::<T>();
        if reached > held as u128 {
            let sentence = format!("{} reaches {} bytes, the slice has {}", view.describe(), reached, held);
            return Err(Error::invalid(sentence));
        }
        Ok(view)
    }

    /// No two indices name the same element.
    pub fn check_written(&self) -> Result<()> {
        if !is_injective(self.shape(), &self.raw.stride) {
            return Err(Error::invalid(format!("{} overlaps itself, but is written", self.describe())));
        }
        Ok(())
    }

    /// The view without dimension `dim`, at `index` of it.
    pub fn select(self, dim: usize, index: usize) -> Result<Self> {
        let dims = self.shape().len();
        let mut view = self.advance(dim, index, self.extent(dim)? - 1)?;
        if dims == 1 {
            return Err(Error::invalid("the only dimension cannot be dropped"));
        }
        view.raw.shape[dim] = 0;
        view.raw.stride[dim] = 0;
        view.raw.shape[dim..].rotate_left(1);
        view.raw.stride[dim..].rotate_left(1);
        view.raw.ndim -= 1;
        // The library would read such strides as compact ones.
        if view.raw.stride.iter().all(|stride| *stride == 0) && view.shape().iter().any(|extent| *extent > 1) {
            return Err(Error::invalid("the remaining strides are all zero, which would mean compact"));
        }
        Ok(view)
    }

    /// The parts before and from `mid` of dimension `dim`.
    pub fn split_at(self, dim: usize, mid: usize) -> Result<(Self, Self)> {
        let mut rest = self.advance(dim, mid, self.extent(dim)?)?;
        let mut first = View { raw: sys::vkv_tensor { data: self.raw.data, ..rest.raw }, ..self };
        first.raw.shape[dim] = mid as i64;
        rest.raw.shape[dim] -= mid as i64;
        Ok((first, rest))
    }

    /// The view with `data` at `index`, at most `last`, of dimension `dim`, and with explicit strides.
    fn advance(mut self, dim: usize, index: usize, last: i64) -> Result<Self> {
        let step = i64::try_from(index).ok().filter(|index| *index <= last);
        let step = step.ok_or_else(|| {
            Error::invalid(format!("index {} is outside dimension {} of {}", index, dim, self.raw.shape[dim]))
        })?;
        self.raw.stride = resolve(self.shape(), &self.raw.stride)?;
        let dtype = Dtype::ALL.iter().find(|dtype| **dtype as i32 == self.raw.dtype);
        let element = dtype.map_or(1, |dtype| dtype.size() as isize);
        let elements = step.wrapping_mul(self.raw.stride[dim]) as isize;
        self.raw.data = self.raw.data.cast::<u8>().wrapping_offset(elements.wrapping_mul(element)).cast();
        Ok(self)
    }

    fn extent(&self, dim: usize) -> Result<i64> {
        self.shape().get(dim).copied().ok_or_else(|| Error::invalid(format!("there is no dimension {}", dim)))
    }

    fn shape(&self) -> &[i64] {
        &self.raw.shape[..self.raw.ndim as usize]
    }

    fn describe(&self) -> String {
        format!("shape {:?} with strides {:?}", self.shape(), &self.raw.stride[..self.shape().len()])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(view: &View, base: *const u16) -> (usize, &[i64], &[i64]) {
        let dims = view.shape().len();
        ((view.raw.data as usize - base as usize) / 2, view.shape(), &view.raw.stride[..dims])
    }

    #[test]
    fn parts_of_a_view() {
        let numbers = [0u16; 30];
        let base = numbers.as_ptr();
        let view = View::of_slice(base, 30, Dtype::Bf16, Layout::from(&[2, 5, 3])).unwrap();
        let (first, rest) = view.split_at(1, 2).unwrap();
        assert_eq!(parts(&first, base), (0, &[2, 2, 3][..], &[15, 3, 1][..]));
        assert_eq!(parts(&rest, base), (6, &[2, 3, 3][..], &[15, 3, 1][..]));
        assert_eq!(parts(&rest.select(0, 1).unwrap(), base), (21, &[3, 3][..], &[3, 1][..]));
        assert_eq!(parts(&rest.select(2, 1).unwrap(), base), (7, &[2, 3][..], &[15, 3][..]));
        // A raw view keeps its strides as they were given until it is taken apart.
        let raw = View::of_raw(base as *mut c_void, Dtype::Bf16, Layout::from(&[2, 15]), false).unwrap();
        assert_eq!(raw.raw.stride, [0; 6]);
        assert_eq!(parts(&raw.select(0, 1).unwrap(), base), (15, &[15][..], &[1][..]));
    }
}
