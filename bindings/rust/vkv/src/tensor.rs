//! Views of memory that the caller owns.
//!
//! A view of a slice borrows it and cannot reach outside it, so operations on such views are safe; they are for the CPU
//! backend, and a CUDA context refuses them. A view of any other memory, a GPU's above all, is made by an `unsafe`
//! constructor, whose contract covers the work that is still running when a call returns.
use std::marker::PhantomData;
use std::os::raw::c_void;

use vkv_sys as sys;

use crate::dtype::{Dtype, Element, Storage};
use crate::error::{Error, Result};
use crate::layout::{is_injective, reach, resolve, Layout};

/// The struct of the C interface, and where the memory comes from.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct View {
    pub raw: sys::vkv_tensor,
    /// Borrowed from a slice of this program.
    pub host: bool,
}

impl View {
    fn of_raw(data: *mut c_void, dtype: Dtype, layout: Layout<'_>, host: bool) -> Result<Self> {
        let (shape, stride) = layout.extents()?;
        let raw = sys::vkv_tensor {
            data,
            dtype: dtype as i32,
            ndim: layout.ndim() as i32,
            shape,
            stride,
        };
        Ok(View { raw, host })
    }

    fn of_slice<T>(data: *const T, len: usize, dtype: Dtype, layout: Layout<'_>) -> Result<Self> {
        let mut view = Self::of_raw(data as *mut c_void, dtype, layout, true)?;
        if layout.ndim() == 0 {
            return Err(Error::invalid("the shape has no dimensions, expected 1 to 6"));
        }
        if data as usize % dtype.size() != 0 {
            let size = dtype.size();
            return Err(Error::invalid(format!(
                "the slice is at {:p}, expected alignment to {} bytes",
                data, size
            )));
        }
        view.raw.stride = resolve(view.shape(), &view.raw.stride)?;
        let reached = reach(view.shape(), &view.raw.stride)? as u128 * dtype.size() as u128;
        let held = len * std::mem::size_of::<T>();
        if reached > held as u128 {
            let (shape, stride) = (view.shape(), &view.raw.stride[..layout.ndim()]);
            return Err(Error::invalid(format!(
                "shape {:?} with strides {:?} of {} reaches {} bytes, the slice has {}",
                shape, stride, dtype, reached, held
            )));
        }
        Ok(view)
    }

    fn shape(&self) -> &[i64] {
        &self.raw.shape[..self.raw.ndim as usize]
    }

    /// The view without dimension `dim`, at `index` of it.
    fn select(mut self, dim: usize, index: usize) -> Result<Self> {
        if self.shape().len() < 2 {
            return Err(Error::invalid(format!(
                "one of {} dimensions cannot be dropped",
                self.shape().len()
            )));
        }
        self.advance(dim, index, true)?;
        self.raw.shape[dim] = 0;
        self.raw.stride[dim] = 0;
        self.raw.shape[dim..].rotate_left(1);
        self.raw.stride[dim..].rotate_left(1);
        self.raw.ndim -= 1;
        if self.raw.stride.iter().all(|stride| *stride == 0) && self.shape().iter().any(|extent| *extent > 1) {
            return Err(Error::invalid(
                "the remaining strides are all zero, which would mean compact",
            ));
        }
        Ok(self)
    }

    /// The parts before and from `mid` of dimension `dim`.
    fn split_at(mut self, dim: usize, mid: usize) -> Result<(Self, Self)> {
        let mut rest = self;
        rest.advance(dim, mid, false)?;
        self.raw.stride = rest.raw.stride;
        self.raw.shape[dim] = mid as i64;
        rest.raw.shape[dim] -= mid as i64;
        Ok((self, rest))
    }

    /// Moves `data` to `index` of dimension `dim`, and makes the strides explicit.
    fn advance(&mut self, dim: usize, index: usize, element: bool) -> Result<()> {
        let extent = *self
            .shape()
            .get(dim)
            .ok_or_else(|| Error::invalid(format!("there is no dimension {}", dim)))?;
        let end = i64::try_from(index)
            .ok()
            .filter(|index| *index < extent || (*index == extent && !element));
        let index =
            end.ok_or_else(|| Error::invalid(format!("index {} is outside dimension {} of {}", index, dim, extent)))?;
        self.raw.stride = resolve(self.shape(), &self.raw.stride)?;
        let bytes = self.element_size() * index * self.raw.stride[dim];
        self.raw.data = self.raw.data.cast::<u8>().wrapping_offset(bytes as isize).cast();
        Ok(())
    }

    fn element_size(&self) -> i64 {
        let dtype = Dtype::ALL.iter().find(|dtype| **dtype as i32 == self.raw.dtype);
        dtype.map_or(1, |dtype| dtype.size() as i64)
    }
}

/// A tensor that operations read. `Default` is the absent tensor.
///
/// It does not outlive its slice:
///
/// ```compile_fail
/// # use vkv::Tensor;
/// let view = {
///     let numbers = [0f32; 4];
///     Tensor::from(&numbers[..]) // error: the numbers do not live long enough
/// };
/// # drop(view);
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct Tensor<'a> {
    pub(crate) view: View,
    lifetime: PhantomData<&'a [u8]>,
}

/// A tensor that operations write. `Default` is the absent tensor.
///
/// It borrows its slice as any reference does:
///
/// ```compile_fail
/// # use vkv::TensorMut;
/// let mut numbers = [0f32; 4];
/// let view = TensorMut::from(&mut numbers[..]);
/// numbers[0] = 1.0; // error: it is borrowed
/// drop(view);
/// ```
#[derive(Debug, Default)]
pub struct TensorMut<'a> {
    pub(crate) view: View,
    lifetime: PhantomData<&'a mut [u8]>,
}

// As shared and unique references to plain numbers.
unsafe impl Send for Tensor<'_> {}
unsafe impl Sync for Tensor<'_> {}
unsafe impl Send for TensorMut<'_> {}
unsafe impl Sync for TensorMut<'_> {}

impl<'a> Tensor<'a> {
    /// A view of a slice, which must hold all that the layout reaches.
    ///
    /// ```
    /// # use vkv::Tensor;
    /// let numbers = [0f32; 12];
    /// Tensor::new(&numbers, &[3, 4])?; // row-major
    /// Tensor::new(&numbers, (&[4, 3], &[1, 4]))?; // by strides: its transpose
    /// assert!(Tensor::new(&numbers, &[4, 4]).is_err());
    /// # Ok::<(), vkv::Error>(())
    /// ```
    pub fn new<'l, T: Element>(data: &'a [T], layout: impl Into<Layout<'l>>) -> Result<Self> {
        Self::with_dtype(data, T::DTYPE, layout)
    }

    /// A view of a slice whose bits are elements of `dtype`: `u16` for f16 and bf16, `u8` for narrow caches, and so on.
    /// The slice must be aligned to the elements and hold all that the layout reaches.
    pub fn with_dtype<'l, T: Storage>(data: &'a [T], dtype: Dtype, layout: impl Into<Layout<'l>>) -> Result<Self> {
        let view = View::of_slice(data.as_ptr(), data.len(), dtype, layout.into())?;
        Ok(Tensor {
            view,
            lifetime: PhantomData,
        })
    }

    /// A view of any memory: a GPU's, or host memory that lives long enough.
    ///
    /// # Safety
    /// `data` is null, or every element that the layout reaches is memory of the kind that the operation and the context
    /// ask for where the view is used, and holds plain numbers. It stays so, and no one writes it except in stream order,
    /// until all work that was enqueued with this view is complete; so does the context. `'a` is the caller's choice and
    /// need not cover that time.
    pub unsafe fn from_raw<'l>(data: *const c_void, dtype: Dtype, layout: impl Into<Layout<'l>>) -> Result<Self> {
        let view = View::of_raw(data as *mut c_void, dtype, layout.into(), false)?;
        Ok(Tensor {
            view,
            lifetime: PhantomData,
        })
    }

    /// The view at `index` of dimension `dim`, without that dimension.
    pub fn select(self, dim: usize, index: usize) -> Result<Self> {
        Ok(Tensor {
            view: self.view.select(dim, index)?,
            ..self
        })
    }
}

impl<'a> TensorMut<'a> {
    /// A view of a slice, as [`Tensor::new`]. No two indices may name the same element.
    pub fn new<'l, T: Element>(data: &'a mut [T], layout: impl Into<Layout<'l>>) -> Result<Self> {
        Self::with_dtype(data, T::DTYPE, layout)
    }

    /// A view of a slice whose bits are elements of `dtype`, as [`Tensor::with_dtype`]. No two indices may name the same
    /// element.
    pub fn with_dtype<'l, T: Storage>(data: &'a mut [T], dtype: Dtype, layout: impl Into<Layout<'l>>) -> Result<Self> {
        let view = View::of_slice(data.as_mut_ptr(), data.len(), dtype, layout.into())?;
        if !is_injective(view.shape(), &view.raw.stride) {
            let (shape, stride) = (view.shape(), &view.raw.stride[..view.shape().len()]);
            let sentence = format!(
                "shape {:?} with strides {:?} overlaps itself, but is written",
                shape, stride
            );
            return Err(Error::invalid(sentence));
        }
        Ok(TensorMut {
            view,
            lifetime: PhantomData,
        })
    }

    /// A view of any memory, as [`Tensor::from_raw`].
    ///
    /// # Safety
    /// As for [`Tensor::from_raw`]; and no two indices name the same element, and until the work is complete no one else
    /// reads or writes the elements except in stream order, or through views that the operation's text allows to be the
    /// same memory.
    pub unsafe fn from_raw<'l>(data: *mut c_void, dtype: Dtype, layout: impl Into<Layout<'l>>) -> Result<Self> {
        let view = View::of_raw(data, dtype, layout.into(), false)?;
        Ok(TensorMut {
            view,
            lifetime: PhantomData,
        })
    }

    /// The same view for reading, for as long as this one is borrowed.
    pub fn as_tensor(&self) -> Tensor<'_> {
        Tensor {
            view: self.view,
            lifetime: PhantomData,
        }
    }

    /// The same view once more, for as long as this one is borrowed.
    pub fn reborrow(&mut self) -> TensorMut<'_> {
        TensorMut {
            view: self.view,
            lifetime: PhantomData,
        }
    }

    /// The same memory as an input of the same call, for operations that may work in place, such as
    /// [`MergeAttnStates`](crate::MergeAttnStates).
    ///
    /// # Safety
    /// The result is used in one operation together with this view, one whose text allows it, or not while this view is
    /// used.
    pub unsafe fn alias(&self) -> Tensor<'a> {
        Tensor {
            view: self.view,
            lifetime: PhantomData,
        }
    }

    /// The view at `index` of dimension `dim`, without that dimension.
    pub fn select(self, dim: usize, index: usize) -> Result<Self> {
        Ok(TensorMut {
            view: self.view.select(dim, index)?,
            ..self
        })
    }

    /// The parts before and from `mid` of dimension `dim`: how K and V come out of one allocation.
    ///
    /// ```
    /// # use vkv::TensorMut;
    /// let mut pool = vec![0f32; 8 * 2 * 16 * 4 * 64]; // [num_blocks, K or V, block_size, num_heads, head_dim]
    /// let (k, v) = TensorMut::new(&mut pool, &[8, 2, 16, 4, 64])?.split_at(1, 1)?;
    /// let (key_cache, value_cache) = (k.select(1, 0)?, v.select(1, 0)?);
    /// # Ok::<(), vkv::Error>(())
    /// ```
    pub fn split_at(self, dim: usize, mid: usize) -> Result<(Self, Self)> {
        let (first, second) = self.view.split_at(dim, mid)?;
        Ok((
            TensorMut { view: first, ..self },
            TensorMut {
                view: second,
                lifetime: PhantomData,
            },
        ))
    }
}

impl<'a, T: Element> From<&'a [T]> for Tensor<'a> {
    /// The slice as a tensor of one dimension.
    fn from(data: &'a [T]) -> Self {
        let one_dimension = View::of_slice(data.as_ptr(), data.len(), T::DTYPE, Layout::from(&[data.len()]));
        Tensor {
            view: one_dimension.expect("a slice holds itself"),
            lifetime: PhantomData,
        }
    }
}

impl<'a, T: Element> From<&'a mut [T]> for TensorMut<'a> {
    /// The slice as a tensor of one dimension.
    fn from(data: &'a mut [T]) -> Self {
        let len = data.len();
        Self::new(data, &[len]).expect("a slice holds itself")
    }
}

impl<'a, T: Element, const N: usize> From<&'a [T; N]> for Tensor<'a> {
    /// The array as a tensor of one dimension.
    fn from(data: &'a [T; N]) -> Self {
        Self::from(&data[..])
    }
}
