package vkv

// #include <vkv.h>
import "C"

import (
	"fmt"
	"math"
	"math/bits"
	"unsafe"
)

// MaxDims is the largest rank of a Tensor.
const MaxDims = C.VKV_MAX_DIMS

// Tensor is a view of memory that the caller owns: a pointer, a dtype, a shape and strides. The zero value is an
// absent tensor. Views are values: build them where they are used. A view that cannot be right (it does not fit its
// slice, say) is refused by the operation that it is given to, with [ErrInvalidArgument]; see also [Tensor.Err].
type Tensor struct {
	data    unsafe.Pointer
	bounded bool // data is a slice of length elements
	length  int64
	dtype   DType
	ndim    int
	shape   [MaxDims]int64
	strides [MaxDims]int64 // all zero: row-major compact
	problem string         // what was wrong with the constructor's arguments
}

// Of is a view of a slice of float32, int32, int64 or uint8, whose element type says the dtype. Without a shape it
// has one dimension, the slice's length.
func Of[T float32 | int32 | int64 | uint8](data []T, shape ...int) Tensor {
	dtype := U8
	switch any(data).(type) {
	case []float32:
		dtype = F32
	case []int32:
		dtype = I32
	case []int64:
		dtype = I64
	}
	return OfType(dtype, data, shape...)
}

// OfType is a view of a slice that stores elements of any dtype: BF16 and F16 in uint16, the byte-sized dtypes in
// uint8, and every dtype in raw bytes. Without a shape it has one dimension, all elements of the slice.
func OfType[T float32 | int32 | int64 | uint8 | uint16](dtype DType, data []T, shape ...int) Tensor {
	var zero T
	held, size := int64(unsafe.Sizeof(zero)), dtype.Size()
	t := Tensor{data: *(*unsafe.Pointer)(unsafe.Pointer(&data)), dtype: dtype, bounded: true}
	switch {
	case size == 0:
		t.problem = fmt.Sprintf("dtype is %d, which is no dtype", dtype)
		return t
	case held != size && held != 1:
		t.problem = fmt.Sprintf("dtype is %v (%d bytes), expected one of %d bytes, as %T has", dtype, size, held, zero)
		return t
	}
	t.length = int64(len(data)) * held / size
	if len(shape) == 0 {
		shape = []int{int(t.length)}
	}
	t.setShape(shape)
	return t
}

// DevicePointer is a view of memory that Go does not own: device memory (CUDA), pinned or other C memory. The address
// may be an unsafe.Pointer, a uintptr or a CUdeviceptr; nothing can check that the view fits what is there. Nil
// strides mean row-major compact.
func DevicePointer[P ~unsafe.Pointer | ~uintptr | ~uint64](address P, dtype DType, shape, strides []int) Tensor {
	t := Tensor{dtype: dtype}
	var ok bool
	if t.data, ok = pointer(address); !ok {
		t.problem = "data is in the first page of memory, where nothing is"
		return t
	}
	t.setShape(shape)
	if strides != nil {
		t = t.WithStrides(strides...)
	}
	return t
}

// pointer is an address as Go's runtime allows it on a stack: it stops at pointers into the first page.
func pointer[P ~unsafe.Pointer | ~uintptr | ~uint64](address P) (p unsafe.Pointer, ok bool) {
	if raw := uintptr(address); raw != 0 && raw < 4096 {
		return nil, false
	}
	return *(*unsafe.Pointer)(unsafe.Pointer(&address)), true
}

// ShapeOnly is a view without memory, for the methods that look at shapes alone: ...Supported and ...WorkspaceSize.
func ShapeOnly(dtype DType, shape ...int) Tensor {
	return DevicePointer(uintptr(0), dtype, shape, nil)
}

// WithStrides is the same view with strides, counted in elements.
func (t Tensor) WithStrides(strides ...int) Tensor {
	if len(strides) != t.ndim {
		if t.problem == "" {
			t.problem = fmt.Sprintf("has %d strides, expected %d, one a dimension", len(strides), t.ndim)
		}
		return t
	}
	for i, s := range strides {
		t.strides[i] = int64(s)
	}
	return t
}

// Size is the bytes of an element; 0 for a number that is no dtype.
func (d DType) Size() int64 {
	switch d {
	case I64:
		return 8
	case F32, I32:
		return 4
	case F16, BF16:
		return 2
	case FP8E4M3, FP8E5M2, U8, NVFP4, FP8DSMLA:
		return 1
	}
	return 0
}

// DType is the element type.
func (t Tensor) DType() DType { return t.dtype }

// Shape is the extent of each dimension.
func (t Tensor) Shape() []int { return dims(t.shape, t.ndim) }

// Strides are the distances from one element to the next in each dimension, in elements; all zero means row-major
// compact.
func (t Tensor) Strides() []int { return dims(t.strides, t.ndim) }

func dims(all [MaxDims]int64, n int) []int {
	out := make([]int, n)
	for i := range out {
		out[i] = int(all[i])
	}
	return out
}

// Err tells what is wrong with the view by itself: nil, or an [*Error] with [ErrInvalidArgument].
func (t Tensor) Err() error {
	if problem := t.check(); problem != "" {
		return &Error{ErrInvalidArgument, "vkv: tensor " + problem}
	}
	return nil
}

func (t *Tensor) setShape(shape []int) {
	if len(shape) > MaxDims {
		t.problem = fmt.Sprintf("has %d dimensions, expected at most %d", len(shape), MaxDims)
		return
	}
	t.ndim = len(shape)
	for i, n := range shape {
		t.shape[i] = int64(n)
	}
}

// check is the constructor's problem, or that the view reaches past its slice; else empty. Whatever else can be wrong
// with a view, the library says.
func (t *Tensor) check() string {
	if t.problem != "" || !t.bounded {
		return t.problem
	}
	if needed := t.reach(); needed > uint64(t.length) {
		return fmt.Sprintf("reaches %d elements into a slice of %d (shape %v, strides %v)",
			needed, t.length, t.Shape(), t.Strides())
	}
	return ""
}

// reach counts the elements from the first to the end of the last, or is MaxUint64 where that does not fit. Negative
// extents and strides reach nothing: the library refuses them.
func (t *Tensor) reach() uint64 {
	compact := t.strides == [MaxDims]int64{}
	reach, packed := uint64(1), uint64(1)
	for i := t.ndim - 1; i >= 0; i-- {
		if t.shape[i] <= 0 || t.strides[i] < 0 {
			return 0
		}
		stride := uint64(t.strides[i])
		if compact {
			stride = packed
		}
		reach = addProduct(reach, uint64(t.shape[i]-1), stride)
		packed = addProduct(0, packed, uint64(t.shape[i]))
	}
	return reach
}

// addProduct is a + b * c, or MaxUint64 where that does not fit.
func addProduct(a, b, c uint64) uint64 {
	high, low := bits.Mul64(b, c)
	sum, carry := bits.Add64(a, low, 0)
	if high != 0 || carry != 0 {
		return math.MaxUint64
	}
	return sum
}

func (t *Tensor) c() C.vkv_tensor {
	c := C.vkv_tensor{data: t.data, dtype: C.vkv_dtype(t.dtype), ndim: C.int32_t(t.ndim)}
	for i := 0; i < t.ndim; i++ {
		c.shape[i], c.stride[i] = C.int64_t(t.shape[i]), C.int64_t(t.strides[i])
	}
	return c
}

// field is a tensor of a params struct, by its name in C.
type field struct {
	name   string
	tensor *Tensor
}

// checkViews reports the first field of an operation whose view cannot be right.
func checkViews(op string, fields ...field) error {
	for _, f := range fields {
		if problem := f.tensor.check(); problem != "" {
			return &Error{ErrInvalidArgument, "vkv_" + op + ": " + f.name + " " + problem}
		}
	}
	return nil
}
