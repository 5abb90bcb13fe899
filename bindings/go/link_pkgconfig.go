//go:build vkv_pkgconfig

package vkv

// #cgo pkg-config: vkv
import "C"
