package vkv

// #include <vkv.h>
import "C"

import (
	"errors"
	"runtime"
)

// Error is a refusal or failure: a status and the sentence that tells what is wrong and what was expected.
//
//	errors.Is(err, vkv.ErrInvalidArgument)   // by status
//	var e *vkv.Error; errors.As(err, &e)     // status and sentence
type Error struct {
	Status  Status
	Message string
}

func (e *Error) Error() string {
	if e.Message == "" {
		return "vkv: " + e.Status.Error()
	}
	return e.Message
}

// Unwrap gives the status, so that errors.Is finds it.
func (e *Error) Unwrap() error { return e.Status }

// String is the status's name in C, such as "VKV_ERROR_INVALID_ARGUMENT".
func (s Status) String() string { return C.GoString(C.vkv_status_string(C.vkv_status(s))) }

// Error makes every Status but OK the target of errors.Is.
func (s Status) Error() string { return s.String() }

// IsUnavailable tells a request that is right in itself but not available here (not in this build, on this device, in
// this version) from a mistake: on true, fall back to something else.
func IsUnavailable(err error) bool {
	var status Status
	return errors.As(err, &status) && status/100 == 2
}

// ErrClosed is returned for a context that was closed, or never created.
var ErrClosed = errors.New("vkv: the context is closed")

// call runs f and fetches the sentence if it fails. The library keeps the sentence per OS thread, and a goroutine may
// change threads between two calls into C.
func call(f func() C.vkv_status) error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if status := f(); status != C.VKV_OK {
		return &Error{Status(status), C.GoString(C.vkv_last_error_message())}
	}
	return nil
}
