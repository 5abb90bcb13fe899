// The operations that take memory as addresses, on memory that is not Go's.
package vkv

import (
	"bytes"
	"syscall"
	"testing"
	"unsafe"
)

// mapped is memory that the garbage collector knows nothing of, and its address.
func mapped(t *testing.T, content string) ([]byte, int64) {
	memory, err := syscall.Mmap(-1, 0, 4096, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_ANON|syscall.MAP_PRIVATE)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { syscall.Munmap(memory) })
	copy(memory, content)
	return memory[:len(content)], int64(uintptr(unsafe.Pointer(&memory[0])))
}

func TestCopyBlocks(t *testing.T) {
	first, firstAddress := mapped(t, "aabbccdd")
	second, secondAddress := mapped(t, "eeffgghh")
	err := cpu(t).CopyBlocks(&CopyBlocksParams{
		KeyCaches:        Of([]int64{firstAddress, secondAddress}),
		BlockMapping:     Of([]int64{0, 3, 1, 2}, 2, 2),
		NumBlocks:        4,
		BlockSizeInBytes: 2,
	}, DefaultStream)
	if err != nil || string(first) != "aabbbbaa" || string(second) != "eeffffee" {
		t.Errorf("%s %s, %v", first, second, err)
	}
}

func TestSwapBlocks(t *testing.T) {
	from, address := mapped(t, "aabbccdd")
	to := []byte("........")
	err := cpu(t).SwapBlocks(&SwapBlocksParams{
		Src:          DevicePointer(uintptr(address), U8, []int{4, 2}, nil),
		Dst:          Of(to, 4, 2),
		BlockMapping: Of([]int64{3, 0, 1, 2}, 2, 2),
	}, DefaultStream)
	if err != nil || string(to) != "dd..bb.." || string(from) != "aabbccdd" {
		t.Errorf("%s %s, %v", from, to, err)
	}
}

func TestSwapBlocksBatch(t *testing.T) {
	_, source := mapped(t, "aabbccdd")
	target, targetAddress := mapped(t, "........")
	err := cpu(t).SwapBlocksBatch(&SwapBlocksBatchParams{
		Flags:   SwapSourceOrderAny,
		SrcPtrs: Of([]int64{source + 2, source}),
		DstPtrs: Of([]int64{targetAddress, targetAddress + 6}),
		Sizes:   Of([]int64{4, 1}),
	}, DefaultStream)
	if err != nil || !bytes.Equal(target, []byte("bbcc..a.")) {
		t.Errorf("%s, %v", target, err)
	}
}
