package vkv

// #include <vkv.h>
import "C"

// DeviceReport tells of numbers in device memory (slots, block ids, lengths, ...) that were out of range. They
// touched no memory and counted as absent.
type DeviceReport struct {
	Count   uint64     // events since the last read; 0 = none, and the other fields are then zero
	Op      Op         // the rest is about the first event
	What    ReportKind // which number it was
	Index   int64      // where: index into the array that held it (row-major for a block table)
	Value   int64      // the number found
	Limit   int64      // the smallest number that is too large there
	Message string     // the same as a sentence
}

// DeviceError is a DeviceReport with events, as an error.
type DeviceError struct{ Report DeviceReport }

func (e *DeviceError) Error() string { return e.Report.Message }

// Err is nil for a clean report, else a [*DeviceError].
func (r DeviceReport) Err() error {
	if r.Count == 0 {
		return nil
	}
	return &DeviceError{r}
}

// ReadDeviceReport reads and clears the context's report. It does not synchronise: what CUDA work that is still
// running will find is not in it yet.
func (c *Context) ReadDeviceReport() (DeviceReport, error) {
	report := C.vkv_device_report{struct_size: C.sizeof_vkv_device_report}
	err := c.call(func(ctx *C.vkv_context) C.vkv_status { return C.vkv_context_read_device_report(ctx, &report) })
	if err != nil {
		return DeviceReport{}, err
	}
	return DeviceReport{
		Count:   uint64(report.count),
		Op:      Op(report.op),
		What:    ReportKind(report.what),
		Index:   int64(report.index),
		Value:   int64(report.value),
		Limit:   int64(report.limit),
		Message: C.GoString(&report.message[0]),
	}, nil
}
