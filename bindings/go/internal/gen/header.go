package main

import (
	"fmt"
	"regexp"
	"strings"
)

// header is what the generator reads out of vkv.h. The header is regular, and what does not look as expected is an
// error.
type header struct {
	enums []enum
	flags []item
	ops   []op
}

// enum is a group of constants with a common prefix, such as VKV_DTYPE_.
type enum struct {
	kind  kind
	items []item
}

// op is an operation: its manual, its params and what is said about its functions.
type op struct {
	name      string // without vkv_
	manual    string
	fields    []item
	run       string
	workspace bool
}

// item is a constant or a field. ctype is a field's type in C.
type item struct{ name, ctype, comment string }

// kind says how an enum of the header looks in Go.
type kind struct{ prefix, name, goPrefix, doc string }

var kinds = []kind{
	{"VKV_ERROR_", "Status", "Err", "Status is the outcome of a call, and a target of errors.Is."},
	{"VKV_DTYPE_", "DType", "", "DType is the type of a tensor's elements."},
	{"VKV_BACKEND_", "Backend", "Backend", "Backend is where a context works."},
	{"VKV_OP_", "Op", "Op", "Op is an operation in a DeviceReport."},
	{"VKV_REPORT_", "ReportKind", "Report", "ReportKind says which number in device memory was out of range."},
	{"VKV_CACHE_LAYOUT_", "CacheLayout", "CacheLayout", "CacheLayout is how key and value caches are shaped."},
	{"VKV_NVFP4_SCALES_", "NVFP4Scales", "NVFP4Scales",
		"NVFP4Scales is the order of the V block scales in an NVFP4 cache."},
	{"VKV_SCALE_RULE_", "ScaleRule", "ScaleRule",
		"ScaleRule is how a stored block scale follows from the block's largest magnitude."},
	{"VKV_ROPE_", "RopeStyle", "Rope", "RopeStyle is which elements are rotated together."},
}

var (
	enumPattern    = regexp.MustCompile(`(?s)\nenum \{\n(.*?)\n\};`)
	itemPattern    = regexp.MustCompile(`(?s)(VKV_\w+) = \d+,?[ \t]*(?:/\*(.*?)\*/)?`)
	flagPattern    = regexp.MustCompile(`#define (VKV_\w+) \d+u[ \t]*(?:/\*(.*?)\*/)?`)
	sectionPattern = regexp.MustCompile(`(?s)/\* -{20,} [^\n]*\n(.*?)\*/`)
	structPattern  = regexp.MustCompile(`(?s)typedef struct vkv_(\w+)_params \{\n(.*?)\n\}`)
	fieldPattern   = regexp.MustCompile(`(?s)^\s*(\w+\*?) ([\w, ]+);[ \t]*(?:/\*(.*?)\*/)?`)
	inComment      = regexp.MustCompile(`(?m)^ ?\* ?`)
)

func parseHeader(text string) (*header, error) {
	h := &header{}
	for _, m := range enumPattern.FindAllStringSubmatch(text, -1) {
		e, err := parseEnum(m[1])
		if err != nil {
			return nil, err
		}
		h.enums = append(h.enums, e)
	}
	for _, m := range flagPattern.FindAllStringSubmatch(text, -1) {
		h.flags = append(h.flags, item{name: m[1], comment: m[2]})
	}
	for _, at := range structPattern.FindAllStringSubmatchIndex(text, -1) {
		o := op{name: text[at[2]:at[3]]}
		if o.name == "context" {
			continue
		}
		var err error
		if o.fields, err = parseFields(text[at[4]:at[5]]); err != nil {
			return nil, fmt.Errorf("vkv_%s_params: %w", o.name, err)
		}
		// An operation without a section of its own shares the one before.
		for _, section := range sectionPattern.FindAllStringSubmatch(text[:at[0]], -1) {
			o.manual = inComment.ReplaceAllString(section[1], "")
		}
		function := regexp.MustCompile(`(?s)/\* ([^/]*)\*/\s*VKV_API vkv_status\s+vkv_` + o.name + `\(`)
		run := function.FindStringSubmatch(text)
		if run == nil {
			return nil, fmt.Errorf("vkv_%s: no comment before the function", o.name)
		}
		o.run = inComment.ReplaceAllString(run[1], "")
		o.workspace = strings.Contains(text, "vkv_"+o.name+"_workspace_size(")
		h.ops = append(h.ops, o)
	}
	if len(h.enums) == 0 || len(h.ops) == 0 {
		return nil, fmt.Errorf("no constants or no operations found")
	}
	return h, nil
}

func parseEnum(body string) (enum, error) {
	items := itemPattern.FindAllStringSubmatch(body, -1)
	for _, k := range kinds {
		if len(items) == 0 || !strings.HasPrefix(items[len(items)-1][1], k.prefix) {
			continue
		}
		e := enum{kind: k}
		for _, m := range items {
			e.items = append(e.items, item{name: m[1], comment: m[2]})
		}
		return e, nil
	}
	return enum{}, fmt.Errorf("unknown group of constants:\n%s", body)
}

func parseFields(body string) ([]item, error) {
	var fields []item
	for strings.TrimSpace(body) != "" {
		m := fieldPattern.FindStringSubmatchIndex(body)
		if m == nil {
			return nil, fmt.Errorf("cannot read: %s", body)
		}
		comment := ""
		if m[6] >= 0 {
			comment = body[m[6]:m[7]]
		}
		for _, name := range strings.Split(body[m[4]:m[5]], ", ") {
			fields = append(fields, item{name, body[m[2]:m[3]], comment})
		}
		body = body[m[1]:]
	}
	return fields, nil
}
