// The text of golden cases, as tests/golden/README.md defines it. Knows the format, not the operations.
package vkv

import (
	"bufio"
	"encoding/hex"
	"fmt"
	"io"
	"strconv"
	"strings"
)

type goldenCase struct {
	name, op    string
	tensors     []goldenTensor
	scalars     [][2]string // field, value
	status      Status
	message     string
	expected    []goldenExpectation
	reportWhat  string
	reportCount uint64
}

type goldenTensor struct {
	field          string
	dtype          DType
	shape, strides []int  // nil strides: all zero
	storage        []byte // nil: the data pointer is NULL
}

type goldenExpectation struct {
	field      string
	exact      bool
	relativeL2 float64
	dtype      DType
	storage    []byte
}

func parseGolden(in io.Reader) ([]goldenCase, error) {
	var cases []goldenCase
	var open *goldenCase
	lines := bufio.NewScanner(in)
	lines.Buffer(nil, 1<<26)
	for number := 1; lines.Scan(); number++ {
		line := strings.TrimSpace(lines.Text())
		if line == "" || line[0] == '#' {
			continue
		}
		directive, rest, _ := strings.Cut(line, " ")
		var err error
		switch {
		case directive == "case" && open == nil:
			open = &goldenCase{name: rest}
		case directive == "end" && open != nil && rest == "":
			cases, open = append(cases, *open), nil
		case open != nil:
			err = open.add(directive, rest)
		default:
			err = fmt.Errorf("%q outside of a case, or a case in a case", directive)
		}
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", number, err)
		}
	}
	if open != nil {
		return nil, fmt.Errorf("case %s has no end", open.name)
	}
	return cases, lines.Err()
}

func (c *goldenCase) add(directive, rest string) error {
	words := strings.Fields(rest)
	is := func(name string, arguments int) bool { return directive == name && len(words) == arguments }
	var err error
	switch {
	case is("op", 1):
		c.op = words[0]
	case is("tensor", 5):
		var t goldenTensor
		if t, err = parseGoldenTensor(words); err == nil {
			c.tensors = append(c.tensors, t)
		}
	case is("scalar", 2):
		c.scalars = append(c.scalars, [2]string{words[0], words[1]})
	case is("status", 1):
		var status int64
		status, err = strconv.ParseInt(words[0], 10, 32)
		c.status = Status(status)
	case directive == "message" && rest != "":
		c.message = rest
	case is("expect", 3) && words[1] == "exact":
		e := goldenExpectation{field: words[0], exact: true}
		e.storage, err = parseBytes(words[2])
		c.expected = append(c.expected, e)
	case is("expect", 5) && words[1] == "close":
		e := goldenExpectation{field: words[0]}
		if e.relativeL2, err = strconv.ParseFloat(words[2], 64); err != nil {
			return err
		}
		if e.dtype, err = dtypeByName(words[3]); err != nil {
			return err
		}
		e.storage, err = parseBytes(words[4])
		c.expected = append(c.expected, e)
	case is("report", 2) && c.reportWhat == "":
		c.reportWhat = words[0]
		c.reportCount, err = strconv.ParseUint(words[1], 10, 64)
	default:
		return fmt.Errorf("cannot read: %s %s", directive, rest)
	}
	return err
}

func parseGoldenTensor(words []string) (t goldenTensor, err error) {
	t.field = words[0]
	if t.dtype, err = dtypeByName(words[1]); err != nil {
		return t, err
	}
	if t.shape, err = parseInts(words[2]); err != nil {
		return t, err
	}
	if t.strides, err = parseInts(words[3]); err != nil {
		return t, err
	}
	if words[4] != "null" {
		t.storage, err = parseBytes(words[4])
	}
	return t, err
}

func parseInts(list string) ([]int, error) {
	if list == "-" {
		return nil, nil
	}
	var ints []int
	for _, word := range strings.Split(list, ",") {
		n, err := strconv.Atoi(word)
		if err != nil {
			return nil, err
		}
		ints = append(ints, n)
	}
	return ints, nil
}

// parseBytes gives a slice that is not nil, even of no bytes.
func parseBytes(text string) ([]byte, error) {
	if count, ok := cutPrefix(text, "zero:"); ok {
		n, err := strconv.ParseUint(count, 10, 31)
		return make([]byte, n), err
	}
	return hex.DecodeString(text)
}

func cutPrefix(s, prefix string) (string, bool) {
	return strings.TrimPrefix(s, prefix), strings.HasPrefix(s, prefix)
}

func dtypeByName(name string) (DType, error) {
	for _, d := range []DType{F16, BF16, F32, FP8E4M3, FP8E5M2, U8, I32, I64, NVFP4, FP8DSMLA} {
		if d.String() == name {
			return d, nil
		}
	}
	return 0, fmt.Errorf("no dtype is named %s", name)
}
