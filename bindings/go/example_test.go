package vkv_test

import (
	"fmt"
	"log"

	vkv "github.com/libvkv/libvkv/bindings/go"
)

// Three tokens go into block 2 of a cache, and a query attends to them.
func Example() {
	const blocks, blockSize, heads, dim = 4, 16, 1, 64
	keys, values := make([]float32, 3*dim), make([]float32, 3*dim)
	for i := range keys {
		keys[i], values[i] = float32(i%7), float32(i/dim+1)
	}
	keyCache, valueCache := make([]float32, blocks*blockSize*heads*dim), make([]float32, blocks*blockSize*heads*dim)
	query, out := make([]float32, dim), make([]float32, dim) // zeros: every token weighs the same

	ctx, err := vkv.NewContext(&vkv.ContextParams{Backend: vkv.BackendCPU})
	if err != nil {
		log.Fatal(err)
	}
	defer ctx.Close()

	write := &vkv.ReshapeAndCacheFlashParams{
		Key:         vkv.Of(keys, 3, heads, dim),
		Value:       vkv.Of(values, 3, heads, dim),
		KeyCache:    vkv.Of(keyCache, blocks, blockSize, heads, dim),
		ValueCache:  vkv.Of(valueCache, blocks, blockSize, heads, dim),
		SlotMapping: vkv.Of([]int64{32, 33, 34}),
	}
	if err := ctx.ReshapeAndCacheFlash(write, vkv.DefaultStream); err != nil {
		log.Fatal(err)
	}

	attend := &vkv.PagedAttentionParams{
		Query:      vkv.Of(query, 1, heads, dim),
		Out:        vkv.Of(out, 1, heads, dim),
		KeyCache:   write.KeyCache,
		ValueCache: write.ValueCache,
		BlockTable: vkv.Of([]int32{2}, 1, 1),
		SeqLens:    vkv.Of([]int32{3}),
	}
	size, err := ctx.PagedAttentionWorkspaceSize(attend)
	if err != nil {
		log.Fatal(err)
	}
	attend.Workspace = vkv.HostWorkspace(size)
	if err := ctx.PagedAttention(attend, vkv.DefaultStream); err != nil {
		log.Fatal(err)
	}
	fmt.Println("the mean of 1, 2 and 3:", out[0])
	// Output: the mean of 1, 2 and 3: 2
}

func ExampleError() {
	ctx, err := vkv.NewContext(&vkv.ContextParams{Backend: vkv.BackendCPU})
	if err != nil {
		log.Fatal(err)
	}
	defer ctx.Close()
	err = ctx.ConcatMLAQSupported(&vkv.ConcatMLAQParams{
		QLNope: vkv.ShapeOnly(vkv.BF16, 1, 16, 512),
		QPE:    vkv.ShapeOnly(vkv.F16, 1, 16, 64),
		QOut:   vkv.ShapeOnly(vkv.BF16, 1, 16, 576),
	})
	fmt.Println(err)
	// Output: vkv_concat_mla_q: q_pe.dtype is f16, expected bf16 (ql_nope.dtype)
}
