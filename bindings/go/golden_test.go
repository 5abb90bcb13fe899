// Golden cases: the same calls for every language, with what the float64 reference says. Finds fields that are passed
// wrongly.
package vkv

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"strconv"
	"strings"
	"testing"
	"unsafe"
)

func TestGolden(t *testing.T) {
	files, err := filepath.Glob("../../tests/golden/[a-z]*.txt") // not CMake's
	if err != nil {
		t.Fatal(err)
	}
	if len(files) == 0 {
		t.Skip("tests/golden is not here")
	}
	operations := map[string]bool{}
	ctx := cpu(t)
	for _, path := range files {
		file, err := os.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		cases, err := parseGolden(file)
		file.Close()
		if err != nil || len(cases) == 0 {
			t.Fatalf("%s: %d cases, %v", path, len(cases), err)
		}
		for i := range cases {
			operations[cases[i].op] = true
			t.Run(filepath.Base(path)+"/"+cases[i].name, func(t *testing.T) {
				if err := runGolden(ctx, &cases[i]); err != nil {
					t.Error(err)
				}
			})
		}
	}
	for op := range entries {
		if !operations[op] {
			t.Errorf("there is no case of %s", op)
		}
	}
	t.Logf("%d files of golden cases", len(files))
}

// wideningCase turns the e4m3 codes of 1 and 2 into the floats 2 and 4.
const wideningCase = `case widening
op convert_fp8
tensor dst f32 2 - zero:8
tensor src e4m3 2 - 3840
scalar scale 2
status 0
expect dst exact 0000004000008040
expect dst close 1e-6 f32 0000004000008040
end
`

func TestGoldenRunnerNoticesMistakes(t *testing.T) {
	passes := func(text string) bool {
		cases, err := parseGolden(strings.NewReader(text))
		if err != nil || len(cases) != 1 {
			t.Fatal(len(cases), err)
		}
		return runGolden(cpu(t), &cases[0]) == nil
	}
	if !passes(wideningCase) {
		t.Error("the right case fails")
	}
	for _, change := range [][2]string{
		{"- 3840", "- 3841"}, {"scale 2", "scale 3"}, {"e4m3 2 -", "e5m2 2 -"}, {"f32 2 - zero", "f32 2 2 zero"},
		{"exact 00000040", "exact 01000040"}, {"f32 00000040", "f32 00010040"}, {"status 0", "status 100"},
		{"status 0", "status 0\nreport VKV_REPORT_SLOT 1"},
	} {
		if passes(strings.Replace(wideningCase, change[0], change[1], 1)) {
			t.Errorf("%q in place of %q goes unnoticed", change[1], change[0])
		}
	}
}

func TestGoldenRunnerRefusesWhatItDoesNotKnow(t *testing.T) {
	for _, line := range []string{"opp convert_fp8", "status", "status ok", "tensor dst f32 1 - xy",
		"tensor dst f33 1 - 00", "expect dst about 00", "report", "case b"} {
		if _, err := parseGolden(strings.NewReader(strings.Replace(wideningCase, "end", line+"\nend", 1))); err == nil {
			t.Errorf("%q is accepted", line)
		}
	}
	for _, c := range []goldenCase{
		{op: "convert"},
		{op: "convert_fp8", scalars: [][2]string{{"scales", "1"}}},
		{op: "convert_fp8", tensors: []goldenTensor{{field: "dest", dtype: F32, shape: []int{1}}}},
		{op: "convert_fp8", status: ErrInvalidArgument, expected: []goldenExpectation{{field: "dst"}}},
	} {
		if err := runGolden(cpu(t), &c); err == nil {
			t.Errorf("%+v is accepted", c)
		}
	}
}

// runGolden makes the call of a case through the package's methods and compares what it leaves behind.
func runGolden(ctx *Context, c *goldenCase) error {
	run, ok := methodByCName(c.op)
	if !ok || run.Type.NumIn() != 3 {
		return fmt.Errorf("no operation is named %s", c.op)
	}
	params := reflect.New(run.Type.In(1).Elem())
	call := func(method reflect.Method, more ...reflect.Value) []reflect.Value {
		return method.Func.Call(append([]reflect.Value{reflect.ValueOf(ctx), params}, more...))
	}
	storage := map[string][]byte{}
	for _, t := range c.tensors {
		field := fieldByCName(params.Elem(), t.field)
		if !field.IsValid() {
			return fmt.Errorf("no field %s", t.field)
		}
		view := DevicePointer(uintptr(0), t.dtype, t.shape, t.strides)
		if t.storage != nil {
			memory := HostWorkspace(uint64(len(t.storage)) + 1) // aligned, and never nothing
			storage[t.field] = unsafe.Slice((*byte)(memory.data), len(t.storage))
			copy(storage[t.field], t.storage)
			view = DevicePointer(memory.data, t.dtype, t.shape, t.strides)
		}
		field.Set(reflect.ValueOf(view))
	}
	for _, s := range c.scalars {
		if err := setScalar(params.Elem(), s[0], s[1]); err != nil {
			return err
		}
	}
	if size, ok := methodByCName(c.op + "_workspace_size"); ok {
		if out := call(size); out[1].IsNil() {
			setWorkspace(params.Elem(), out[0].Uint(), c.scalars)
		}
	}
	err, _ := call(run, reflect.ValueOf(DefaultStream))[0].Interface().(error)
	report, reportErr := ctx.ReadDeviceReport()
	if reportErr != nil {
		return reportErr
	}
	if err := compareOutcome(c, err); err != nil {
		return err
	}
	if err := compareReport(c, report); err != nil {
		return err
	}
	for _, e := range c.expected {
		if err := compareStorage(e, c.tensors, storage[e.field]); err != nil {
			return fmt.Errorf("%s: %w", e.field, err)
		}
	}
	return nil
}

func setScalar(params reflect.Value, name, value string) error {
	field := fieldByCName(params, name)
	if !field.IsValid() {
		return fmt.Errorf("no field %s", name)
	}
	var err error
	switch field.Kind() {
	case reflect.Float32, reflect.Float64:
		var x float64
		x, err = strconv.ParseFloat(value, 64)
		field.SetFloat(x)
	case reflect.Int32, reflect.Int64:
		var n int64
		n, err = strconv.ParseInt(value, 10, field.Type().Bits())
		field.SetInt(n)
	case reflect.Uint32:
		var n uint64
		n, err = strconv.ParseUint(value, 10, 32)
		field.SetUint(n)
	case reflect.Struct:
		if name != "workspace_size" { // set with the workspace
			err = fmt.Errorf("%s is no scalar", name)
		}
	}
	return err
}

// setWorkspace gives as many bytes as are needed, and tells the size that the case wants told.
func setWorkspace(params reflect.Value, bytes uint64, scalars [][2]string) {
	w := HostWorkspace(bytes)
	for _, s := range scalars {
		if s[0] == "workspace_size" {
			w.size, _ = strconv.ParseUint(s[1], 10, 64)
		}
	}
	fieldByCName(params, "workspace").Set(reflect.ValueOf(w))
}

func compareOutcome(c *goldenCase, err error) error {
	if c.status == OK {
		return err
	}
	var got *Error
	if !errors.As(err, &got) || got.Status != c.status {
		return fmt.Errorf("status: %v, expected %v", err, c.status)
	}
	if !strings.Contains(got.Message, c.message) {
		return fmt.Errorf("message: %q, expected %q in it", got.Message, c.message)
	}
	return nil
}

// reportKinds are named as in the header.
var reportKinds = map[string]ReportKind{
	"VKV_REPORT_SLOT": ReportSlot, "VKV_REPORT_BLOCK_ID": ReportBlockID, "VKV_REPORT_TABLE_COLUMN": ReportTableColumn,
	"VKV_REPORT_LENGTH": ReportLength, "VKV_REPORT_OFFSET": ReportOffset, "VKV_REPORT_POSITION": ReportPosition,
}

func compareReport(c *goldenCase, report DeviceReport) error {
	what, ok := reportKinds[c.reportWhat]
	if !ok && c.reportWhat != "" {
		return fmt.Errorf("no report is named %s", c.reportWhat)
	}
	if report.What != what || report.Count != c.reportCount {
		return fmt.Errorf("report: %d of kind %d (%s), expected %d of %q", report.Count, report.What, report.Message,
			c.reportCount, c.reportWhat)
	}
	return nil
}

func compareStorage(e goldenExpectation, tensors []goldenTensor, got []byte) error {
	if e.exact {
		if got == nil || !bytes.Equal(got, e.storage) {
			return fmt.Errorf("bytes are\n%x, expected\n%x", got, e.storage)
		}
		return nil
	}
	for _, t := range tensors {
		if t.field == e.field {
			return compareNumbers(numbers(t.dtype, got), numbers(e.dtype, e.storage), e.relativeL2)
		}
	}
	return errors.New("no such tensor")
}

// compareNumbers takes the relative L2 distance of the finite ones; NaN and infinity must be the same at the same
// places.
func compareNumbers(got, want []float64, limit float64) error {
	if len(got) != len(want) || len(want) == 0 {
		return fmt.Errorf("%d elements, expected %d", len(got), len(want))
	}
	var distance, norm float64
	for i, w := range want {
		if math.IsNaN(w) && math.IsNaN(got[i]) || w == got[i] && math.IsInf(w, 0) {
			continue
		}
		distance += (got[i] - w) * (got[i] - w)
		norm += w * w
	}
	if !(math.Sqrt(distance) <= limit*math.Sqrt(norm)) {
		return fmt.Errorf("relative L2 distance %.3g, expected at most %.3g", math.Sqrt(distance/norm), limit)
	}
	return nil
}

// numbers are the elements of storage; of a dtype that has none to compare, nothing.
func numbers(dtype DType, storage []byte) []float64 {
	var all []float64
	switch dtype {
	case F32:
		for i := 0; i+4 <= len(storage); i += 4 {
			all = append(all, float64(math.Float32frombits(binary.LittleEndian.Uint32(storage[i:]))))
		}
	case BF16:
		for i := 0; i+2 <= len(storage); i += 2 {
			all = append(all, float64(math.Float32frombits(uint32(binary.LittleEndian.Uint16(storage[i:]))<<16)))
		}
	case F16:
		for i := 0; i+2 <= len(storage); i += 2 {
			all = append(all, half(binary.LittleEndian.Uint16(storage[i:])))
		}
	}
	return all
}

func half(bits uint16) float64 {
	sign := 1 - 2*float64(bits>>15)
	exponent, fraction := int(bits>>10&31), float64(bits&1023)
	switch exponent {
	case 0:
		return sign * math.Ldexp(fraction, -24)
	case 31:
		if fraction != 0 {
			return math.NaN()
		}
		return math.Inf(int(sign))
	}
	return sign * math.Ldexp(1024+fraction, exponent-25)
}
