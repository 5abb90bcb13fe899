package vkv

import (
	"errors"
	"strings"
	"testing"
)

func cpu(t testing.TB) *Context {
	ctx, err := NewContext(&ContextParams{Backend: BackendCPU, NumThreads: 2})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ctx.Close() })
	return ctx
}

func TestContext(t *testing.T) {
	info, err := cpu(t).Info()
	if err != nil || info.Backend != BackendCPU || info.NumThreads != 2 || info.Name == "" {
		t.Errorf("info is %+v, %v", info, err)
	}
	if major, minor, patch := LibraryVersion(); major != 1 || minor < 0 || patch < 0 {
		t.Errorf("library version %d.%d.%d", major, minor, patch)
	}
	if !strings.Contains(BuildInfo(), "cpu") {
		t.Errorf("build info %q names no cpu backend", BuildInfo())
	}
	if BF16.String() != "bf16" || OpCopyBlocks.String() != "copy_blocks" || ErrCUDA.String() != "VKV_ERROR_CUDA" {
		t.Error("names are not the library's", BF16, OpCopyBlocks, ErrCUDA)
	}
}

func TestContextThatCannotBe(t *testing.T) {
	ctx, err := NewContext(&ContextParams{Backend: BackendCPU, Device: 3})
	if ctx != nil || !errors.Is(err, ErrInvalidArgument) || !strings.Contains(err.Error(), "3") {
		t.Errorf("device 3 of the CPU backend: %v, %v", ctx, err)
	}
	if _, err := NewContext(&ContextParams{Flags: 1 << 30}); !errors.Is(err, ErrNotSupported) || !IsUnavailable(err) {
		t.Errorf("unknown flag: %v", err)
	}
}

func TestClosedContext(t *testing.T) {
	ctx, err := NewContext(&ContextParams{Backend: BackendCPU})
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < 2; i++ {
		if err := ctx.Close(); err != nil {
			t.Errorf("close %d: %v", i, err)
		}
	}
	if _, err := ctx.Info(); err != ErrClosed {
		t.Errorf("info: %v", err)
	}
	if err := ctx.ConvertFP8(&ConvertFP8Params{}, DefaultStream); err != ErrClosed {
		t.Errorf("an operation: %v", err)
	}
	if err := new(Context).ConcatMLAQSupported(&ConcatMLAQParams{}); err != ErrClosed {
		t.Errorf("a zero context: %v", err)
	}
}

// convert is a call that takes nothing but two tensors.
func convert(elements int) (*ConvertFP8Params, []float32) {
	wide := make([]float32, elements)
	return &ConvertFP8Params{Dst: Of(wide), Src: OfType(FP8E4M3, make([]uint8, elements))}, wide
}

func TestErrors(t *testing.T) {
	ctx := cpu(t)
	p, _ := convert(8)
	p.Dst = Of(make([]int64, 8))
	err := ctx.ConvertFP8(p, DefaultStream)
	var refusal *Error
	if !errors.As(err, &refusal) || refusal.Status != ErrInvalidArgument || !errors.Is(err, ErrInvalidArgument) {
		t.Fatalf("a wrong dtype: %v", err)
	}
	if errors.Is(err, ErrNotSupported) || IsUnavailable(err) {
		t.Error("a mistake counts as unavailable")
	}
	if !strings.Contains(err.Error(), "dst.dtype is i64") {
		t.Errorf("a wrong dtype: %v", err)
	}
	if err := ctx.ConvertFP8Supported(p); err == nil || err.Error() != refusal.Message {
		t.Errorf("supported says %v", err)
	}
	if (&Error{Status: ErrCUDA}).Error() != "vkv: VKV_ERROR_CUDA" {
		t.Error("an error without a message:", &Error{Status: ErrCUDA})
	}
}

func TestWrongStride(t *testing.T) {
	ctx := cpu(t)
	p := &ConcatMLAQParams{
		QLNope: Of(make([]float32, 64), 1, 2, 8).WithStrides(32, 16, 2),
		QPE:    Of(make([]float32, 16), 1, 2, 8),
		QOut:   Of(make([]float32, 32), 1, 2, 16),
	}
	err := ctx.ConcatMLAQ(p, DefaultStream)
	if !errors.Is(err, ErrInvalidArgument) || !strings.Contains(err.Error(), "ql_nope.stride[2] is 2, expected 1") {
		t.Errorf("a wrong stride: %v", err)
	}
}

func TestDeviceReport(t *testing.T) {
	ctx := cpu(t)
	cache := make([]float32, 2*4*8)
	err := ctx.ReshapeAndCacheFlash(&ReshapeAndCacheFlashParams{
		Key: Of(make([]float32, 8), 1, 1, 8), Value: Of(make([]float32, 8), 1, 1, 8),
		KeyCache: Of(cache, 2, 4, 1, 8), ValueCache: Of(make([]float32, 2*4*8), 2, 4, 1, 8),
		SlotMapping: Of([]int64{8}),
	}, DefaultStream)
	if err != nil {
		t.Fatal(err)
	}
	report, err := ctx.ReadDeviceReport()
	if err != nil {
		t.Fatal(err)
	}
	message := report.Message
	report.Message = ""
	want := DeviceReport{Count: 1, Op: OpReshapeAndCacheFlash, What: ReportSlot, Index: 0, Value: 8, Limit: 8}
	if report != want || message == "" {
		t.Errorf("report %+v %q, expected %+v", report, message, want)
	}
	var event *DeviceError
	if err := report.Err(); !errors.As(err, &event) || event.Report != report {
		t.Errorf("as an error: %v", err)
	}
	if report, err := ctx.ReadDeviceReport(); err != nil || report.Err() != nil {
		t.Errorf("the second read: %+v, %v", report, err)
	}
}

// Params are built on the stack. What Go 1.19 allocates is cgo's: its pointer check boxes the context and the params.
func TestCallsDoNotAllocate(t *testing.T) {
	ctx := cpu(t)
	p, _ := convert(8)
	allocations := testing.AllocsPerRun(100, func() {
		if err := ctx.ConvertFP8(p, DefaultStream); err != nil {
			t.Fatal(err)
		}
	})
	if allocations > 2 {
		t.Errorf("%v allocations a call", allocations)
	}
}
