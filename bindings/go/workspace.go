package vkv

import "unsafe"

// WorkspaceAlignment is what a workspace is aligned to, in bytes.
const WorkspaceAlignment = 256

// Workspace is scratch memory of an attention call. The zero value is no workspace. It serves one call at a time.
type Workspace struct {
	data unsafe.Pointer
	size uint64
}

// HostWorkspace allocates a workspace for the CPU backend.
func HostWorkspace(size uint64) Workspace {
	if size == 0 {
		return Workspace{}
	}
	memory := make([]byte, size+WorkspaceAlignment-1)
	start := -uintptr(unsafe.Pointer(&memory[0])) % WorkspaceAlignment
	return Workspace{unsafe.Pointer(&memory[start]), size}
}

// DeviceWorkspace is size bytes of device memory at an aligned address.
func DeviceWorkspace[P ~unsafe.Pointer | ~uintptr | ~uint64](address P, size uint64) Workspace {
	data, _ := pointer(address) // nil is refused by the operation
	return Workspace{data, size}
}

// Size is the number of bytes.
func (w Workspace) Size() uint64 { return w.size }
