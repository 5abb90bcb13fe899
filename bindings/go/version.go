package vkv

// #include <vkv.h>
import "C"

// LibraryVersion is the version of the library at run time. The header that this package was compiled with may be
// older.
func LibraryVersion() (major, minor, patch int) {
	v := int(C.vkv_version())
	return v / 1000000, v / 1000 % 1000, v % 1000
}

// BuildInfo is one line about the library: version, backends, GPU architectures, toolkit, compiler.
func BuildInfo() string { return C.GoString(C.vkv_build_info()) }

// String is the name of the dtype, such as "bf16".
func (d DType) String() string { return C.GoString(C.vkv_dtype_string(C.vkv_dtype(d))) }

// String is the name of the operation, such as "paged_attention".
func (o Op) String() string { return C.GoString(C.vkv_op_string(C.int32_t(o))) }
