package vkv

import (
	"errors"
	"math"
	"reflect"
	"strings"
	"testing"
	"unsafe"
)

func TestViewsThatFit(t *testing.T) {
	f32 := make([]float32, 24)
	device := uintptr(0x7f0000001000)
	for name, c := range map[string]struct {
		view  Tensor
		dtype DType
		shape []int
	}{
		"float32":         {Of(f32, 2, 3, 4), F32, []int{2, 3, 4}},
		"int32":           {Of([]int32{1, 2}), I32, []int{2}},
		"int64":           {Of([]int64{1, 2}, 2, 1), I64, []int{2, 1}},
		"bytes":           {Of([]uint8{1, 2}), U8, []int{2}},
		"part":            {Of(f32, 2, 3), F32, []int{2, 3}},
		"bf16":            {OfType(BF16, make([]uint16, 6), 2, 3), BF16, []int{2, 3}},
		"f16 raw":         {OfType(F16, make([]uint8, 12)), F16, []int{6}},
		"fp8":             {OfType(FP8E4M3, make([]uint8, 6), 6), FP8E4M3, []int{6}},
		"strided":         {Of(f32, 2, 3).WithStrides(20, 1), F32, []int{2, 3}},
		"to the last":     {Of(f32, 2, 3).WithStrides(21, 1), F32, []int{2, 3}},
		"broadcast":       {Of(f32, 1000, 3).WithStrides(0, 1), F32, []int{1000, 3}},
		"empty":           {Of([]float32(nil), 0, 8), F32, []int{0, 8}},
		"nil":             {Of([]float32(nil)), F32, []int{0}},
		"uintptr":         {DevicePointer(device, BF16, []int{4, 8}, nil), BF16, []int{4, 8}},
		"uint64":          {DevicePointer(uint64(device), BF16, []int{4, 8}, []int{16, 1}), BF16, []int{4, 8}},
		"unsafe.Pointer":  {DevicePointer(unsafe.Pointer(&f32[0]), F32, []int{24}, nil), F32, []int{24}},
		"shape only":      {ShapeOnly(I32, 5), I32, []int{5}},
		"library's to do": {Of(f32, -2, 3), F32, []int{-2, 3}},
	} {
		if err := c.view.Err(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if c.view.DType() != c.dtype || !reflect.DeepEqual(c.view.Shape(), c.shape) {
			t.Errorf("%s: %v %v", name, c.view.DType(), c.view.Shape())
		}
	}
}

func TestViewsThatDoNot(t *testing.T) {
	f32 := make([]float32, 24)
	for name, c := range map[string]struct {
		view    Tensor
		message string
	}{
		"too many elements": {Of(f32, 5, 5), "reaches 25 elements into a slice of 24"},
		"strides too wide":  {Of(f32, 2, 3).WithStrides(22, 1), "reaches 25 elements into a slice of 24"},
		"raw bytes":         {OfType(F32, make([]uint8, 8), 3), "reaches 3 elements into a slice of 2"},
		"nil":               {Of([]float32(nil), 1), "reaches 1 elements into a slice of 0"},
		"overflow":          {Of(f32, math.MaxInt64, math.MaxInt64), "into a slice of 24"},
		"overflow to small": {Of(f32, 1<<32, 1<<32), "into a slice of 24"},
		"stride overflow":   {Of(f32, 3, 1).WithStrides(math.MaxInt64, 1), "into a slice of 24"},
		"missing stride":    {Of(f32, 2, 3).WithStrides(3), "has 1 strides, expected 2"},
		"rank":              {Of(f32, 1, 1, 1, 1, 1, 1, 1), "has 7 dimensions, expected at most 6"},
		"rank, strides":     {DevicePointer(uintptr(1<<40), F32, make([]int, 7), make([]int, 7)), "has 7 dimensions"},
		"no address":        {DevicePointer(uintptr(8), F32, []int{1}, nil), "data is in the first page"},
		"storage":           {OfType(BF16, f32), "dtype is bf16 (2 bytes), expected one of 4 bytes"},
		"no dtype":          {OfType(DType(99), f32), "dtype is 99"},
	} {
		err := c.view.Err()
		if !errors.Is(err, ErrInvalidArgument) || !strings.Contains(err.Error(), c.message) {
			t.Errorf("%s: %v, expected %q", name, err, c.message)
		}
	}
}

// An operation refuses such a view by the name of its field, before C sees it.
func TestOperationNamesTheView(t *testing.T) {
	ctx := cpu(t)
	p, wide := convert(8)
	p.Dst = Of(wide, 9)
	const want = "vkv_convert_fp8: dst reaches 9 elements into a slice of 8 (shape [9], strides [0])"
	for _, err := range []error{ctx.ConvertFP8(p, DefaultStream), ctx.ConvertFP8Supported(p)} {
		if !errors.Is(err, ErrInvalidArgument) || err.Error() != want {
			t.Errorf("%v, expected %q", err, want)
		}
	}
}

func TestShapesAreEnoughToAsk(t *testing.T) {
	ctx := cpu(t)
	p := &PagedAttentionParams{
		Query: ShapeOnly(F32, 2, 4, 64), Out: ShapeOnly(F32, 2, 4, 64),
		KeyCache: ShapeOnly(F32, 8, 16, 2, 64), ValueCache: ShapeOnly(F32, 8, 16, 2, 64),
		BlockTable: ShapeOnly(I32, 2, 4), SeqLens: ShapeOnly(I32, 2),
	}
	if err := ctx.PagedAttentionSupported(p); err != nil {
		t.Error(err)
	}
	bytes, err := ctx.PagedAttentionWorkspaceSize(p)
	if err != nil || bytes == 0 {
		t.Errorf("workspace: %d bytes, %v", bytes, err)
	}
	if err := ctx.PagedAttention(p, DefaultStream); !errors.Is(err, ErrInvalidArgument) {
		t.Errorf("running on no memory: %v", err)
	}
	p.SeqLens = ShapeOnly(I64, 2)
	if _, err := ctx.PagedAttentionWorkspaceSize(p); !errors.Is(err, ErrInvalidArgument) {
		t.Errorf("workspace of a wrong dtype: %v", err)
	}
}

func TestHostWorkspace(t *testing.T) {
	for _, size := range []uint64{1, 255, 256, 4097} {
		w := HostWorkspace(size)
		if uintptr(w.data)%WorkspaceAlignment != 0 || w.Size() != size {
			t.Errorf("%d bytes: at %v, %d bytes", size, w.data, w.Size())
		}
	}
	if HostWorkspace(0) != (Workspace{}) {
		t.Error("a workspace of nothing is not the zero value")
	}
	if w := DeviceWorkspace(uintptr(1<<40), 512); uintptr(w.data) != 1<<40 || w.size != 512 {
		t.Errorf("device workspace %+v", w)
	}
}
