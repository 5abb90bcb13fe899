//! Views of memory that the caller owns.
//!
//! A view of a slice borrows it and cannot reach outside it, so operations on such views are safe; they are for the CPU
//! backend, and a CUDA context refuses them. A view of any other memory, a GPU's above all, is made by an `unsafe`
//! constructor, whose contract covers the work that is still running when a call returns.
use std::marker::PhantomData;
use std::os::raw::c_void;

use crate::dtype::{Dtype, Element, Storage};
use crate::error::Result;
use crate::layout::Layout;
use crate::view::View;

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
        Ok(Tensor { view, lifetime: PhantomData })
    }

    /// A view of any memory: a GPU's, or host memory that lives long enough.
    ///
    /// # Safety
    /// `data` is null, or every element that the layout reaches is memory of the kind that the operation and the
    /// context ask for where the view is used, and holds plain numbers. It stays so, and no one writes it except in
    /// stream order, until all work that was enqueued with this view is complete; so does the context. `'a` is the
    /// caller's choice and need not cover that time.
    pub unsafe fn from_raw<'l>(data: *const c_void, dtype: Dtype, layout: impl Into<Layout<'l>>) -> Result<Self> {
        let view = View::of_raw(data as *mut c_void, dtype, layout.into(), false)?;
        Ok(Tensor { view, lifetime: PhantomData })
    }

    /// The view at `index` of dimension `dim`, without that dimension.
    pub fn select(self, dim: usize, index: usize) -> Result<Self> {
        Ok(Tensor { view: self.view.select(dim, index)?, ..self })
    }
}

impl<'a> TensorMut<'a> {
    /// A view of a slice, as [`Tensor::new`]. No two indices may name the same element.
    pub fn new<'l, T: Element>(data: &'a mut [T], layout: impl Into<Layout<'l>>) -> Result<Self> {
        Self::with_dtype(data, T::DTYPE, layout)
    }

    /// A view of a slice whose bits are elements of `dtype`, as [`Tensor::with_dtype`]. No two indices may name the
    /// same element.
    pub fn with_dtype<'l, T: Storage>(data: &'a mut [T], dtype: Dtype, layout: impl Into<Layout<'l>>) -> Result<Self> {
        let view = View::of_slice(data.as_mut_ptr(), data.len(), dtype, layout.into())?;
        view.check_written()?;
        Ok(TensorMut { view, lifetime: PhantomData })
    }

    /// A view of any memory, as [`Tensor::from_raw`].
    ///
    /// # Safety
    /// As for [`Tensor::from_raw`]; and no two indices name the same element, and until the work is complete no one
    /// else reads or writes the elements except in stream order, or through views that the operation's text allows to
    /// be the same memory.
    pub unsafe fn from_raw<'l>(data: *mut c_void, dtype: Dtype, layout: impl Into<Layout<'l>>) -> Result<Self> {
        let view = View::of_raw(data, dtype, layout.into(), false)?;
        Ok(TensorMut { view, lifetime: PhantomData })
    }

    /// The same view for reading, for as long as this one is borrowed.
    pub fn as_tensor(&self) -> Tensor<'_> {
        Tensor { view: self.view, lifetime: PhantomData }
    }

    /// The same view once more, for as long as this one is borrowed.
    pub fn reborrow(&mut self) -> TensorMut<'_> {
        TensorMut { view: self.view, lifetime: PhantomData }
    }

    /// The same memory as an input of the same call, for operations that may work in place, such as
    /// [`MergeAttnStates`](crate::MergeAttnStates).
    ///
    /// # Safety
    /// The result is used in one operation together with this view, one whose text allows it, or not while this view is
    /// used.
    pub unsafe fn alias(&self) -> Tensor<'a> {
        Tensor { view: self.view, lifetime: PhantomData }
    }

    /// The view at `index` of dimension `dim`, without that dimension.
    pub fn select(self, dim: usize, index: usize) -> Result<Self> {
        Ok(TensorMut { view: self.view.select(dim, index)?, ..self })
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
        Ok((TensorMut { view: first, ..self }, TensorMut { view: second, lifetime: PhantomData }))
    }
}

impl<'a, T: Element> From<&'a [T]> for Tensor<'a> {
    /// The slice as a tensor of one dimension.
    fn from(data: &'a [T]) -> Self {
        let one_dimension = View::of_slice(data.as_ptr(), data.len(), T::DTYPE, Layout::from(&[data.len()]));
        Tensor { view: one_dimension.expect("a slice holds itself"), lifetime: PhantomData }
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
