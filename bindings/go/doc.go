// Package vkv is libvkv for Go: paged attention and KV-cache operations on the CPU and on CUDA devices.
//
// A [Context] is a device. Each operation is a method of it that takes a params struct of [Tensor] views and a
// [Stream], checks everything that can be checked on the host, and either does the work or returns an [*Error] with
// the library's sentence. Fields left zero mean "default" or "absent".
//
//	ctx, err := vkv.NewContext(&vkv.ContextParams{Backend: vkv.BackendCPU})
//	...
//	err = ctx.ReshapeAndCacheFlash(&vkv.ReshapeAndCacheFlashParams{
//		Key:         vkv.Of(keys, tokens, heads, dim),
//		Value:       vkv.Of(values, tokens, heads, dim),
//		KeyCache:    vkv.Of(keyCache, blocks, blockSize, heads, dim),
//		ValueCache:  vkv.Of(valueCache, blocks, blockSize, heads, dim),
//		SlotMapping: vkv.Of(slots),
//	}, vkv.DefaultStream)
//
// # Memory
//
// The CPU backend works on Go slices ([Of], [OfType]) and on memory that C allocated ([DevicePointer]); its work is
// done on return, and no pointer outlives the call. The CUDA backend works on device memory ([DevicePointer]) and
// only enqueues: the caller keeps the memory until the stream has passed the work. Go memory is no device memory, nor
// pinned.
//
// CopyBlocks and SwapBlocksBatch take memory as addresses, that is, as integers the garbage collector does not
// follow. They are meant for memory that C or CUDA allocated.
//
// # Threads
//
// A Context may be used by any number of goroutines at once. A [Workspace] serves one call at a time.
//
// # Building
//
// cgo has to find vkv.h and libvkv. An installation under /usr or /usr/local is found as it is; for another place set
// CGO_CFLAGS=-I... and CGO_LDFLAGS=-L..., or build with -tags vkv_pkgconfig, which asks pkg-config for "vkv".
package vkv

//go:generate go run ./internal/gen
