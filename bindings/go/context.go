package vkv

// #include <vkv.h>
import "C"

import "sync"

// Context is a device with what the operations need there. Any number of goroutines may use it at once.
type Context struct {
	mu  sync.RWMutex // held for reading by every call, for writing by Close
	ptr *C.vkv_context
}

// ContextParams choose a device. The zero value takes CUDA where a usable GPU is present, else the CPU.
type ContextParams struct {
	Flags      uint32
	Backend    Backend
	Device     int32 // CUDA device ordinal; 0 for the CPU backend
	NumThreads int32 // CPU backend: threads that work on one call; 0 = one for each CPU that this process may use
}

// Stream is a cudaStream_t or CUstream: Stream(uintptr(unsafe.Pointer(s))). The CPU backend ignores it.
type Stream uintptr

// DefaultStream is CUDA's legacy default stream.
const DefaultStream Stream = 0

// NewContext creates a context; nil params are the zero value. The caller closes it: a context is not garbage
// collected.
func NewContext(params *ContextParams) (*Context, error) {
	if params == nil {
		params = &ContextParams{}
	}
	c := C.vkv_context_params{
		struct_size: C.sizeof_vkv_context_params,
		flags:       C.uint32_t(params.Flags),
		backend:     C.int32_t(params.Backend),
		device:      C.int32_t(params.Device),
		num_threads: C.int32_t(params.NumThreads),
	}
	var ptr *C.vkv_context
	if err := call(func() C.vkv_status { return C.vkv_context_create(&c, &ptr) }); err != nil {
		return nil, err
	}
	return &Context{ptr: ptr}, nil
}

// Close waits for calls in flight and destroys the context. CUDA work that it enqueued must be complete. Closing
// twice is harmless; any other use of a closed context returns [ErrClosed].
func (c *Context) Close() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	C.vkv_context_destroy(c.ptr)
	c.ptr = nil
	return nil
}

// call runs f on the open context.
func (c *Context) call(f func(*C.vkv_context) C.vkv_status) error {
	c.mu.RLock()
	defer c.mu.RUnlock()
	if c.ptr == nil {
		return ErrClosed
	}
	return call(func() C.vkv_status { return f(c.ptr) })
}

// ContextInfo describes a context.
type ContextInfo struct {
	Backend          Backend
	Device           int    // CUDA device ordinal; 0 for CPU
	NumThreads       int    // CPU: threads that work on one call; 0 for CUDA
	NumSMs           int    // CUDA: multiprocessors; 0 for CPU
	CCMajor, CCMinor int    // CUDA: compute capability; 0 for CPU
	Name             string // GPU name, or the vector units in use, such as "x86-64 avx512"
}

// Info describes the context.
func (c *Context) Info() (ContextInfo, error) {
	info := C.vkv_context_info{struct_size: C.sizeof_vkv_context_info}
	if err := c.call(func(ctx *C.vkv_context) C.vkv_status { return C.vkv_context_get_info(ctx, &info) }); err != nil {
		return ContextInfo{}, err
	}
	return ContextInfo{
		Backend:    Backend(info.backend),
		Device:     int(info.device),
		NumThreads: int(info.num_threads),
		NumSMs:     int(info.num_sms),
		CCMajor:    int(info.cc_major),
		CCMinor:    int(info.cc_minor),
		Name:       C.GoString(&info.name[0]),
	}, nil
}
