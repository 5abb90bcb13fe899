//go:build !vkv_pkgconfig

package vkv

// #cgo LDFLAGS: -lvkv
import "C"
