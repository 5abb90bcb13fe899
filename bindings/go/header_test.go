// The Go structs say all that the header's structs say: every field can be set from Go and arrives in C.
package vkv

import (
	"os"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"unsafe"
)

// entries are the conversions of all params structs, from P to what it is in C.
var entries = map[string]func(t *testing.T, fields []string){
	"paged_attention":                      entry((*PagedAttentionParams).c),
	"paged_attention_v1":                   entry((*PagedAttentionV1Params).c),
	"paged_attention_v2":                   entry((*PagedAttentionV2Params).c),
	"merge_attn_states":                    entry((*MergeAttnStatesParams).c),
	"reshape_and_cache":                    entry((*ReshapeAndCacheParams).c),
	"reshape_and_cache_flash":              entry((*ReshapeAndCacheFlashParams).c),
	"concat_and_cache_mla":                 entry((*ConcatAndCacheMLAParams).c),
	"concat_and_cache_mla_rope_fused":      entry((*ConcatAndCacheMLARopeFusedParams).c),
	"convert_fp8":                          entry((*ConvertFP8Params).c),
	"gather_and_maybe_dequant_cache":       entry((*GatherAndMaybeDequantCacheParams).c),
	"cp_gather_cache":                      entry((*CPGatherCacheParams).c),
	"cp_gather_and_upconvert_fp8_kv_cache": entry((*CPGatherAndUpconvertFP8KVCacheParams).c),
	"indexer_k_quant_and_cache":            entry((*IndexerKQuantAndCacheParams).c),
	"cp_gather_indexer_k_quant_cache":      entry((*CPGatherIndexerKQuantCacheParams).c),
	"concat_mla_q":                         entry((*ConcatMLAQParams).c),
	"swap_blocks":                          entry((*SwapBlocksParams).c),
	"swap_blocks_batch":                    entry((*SwapBlocksBatchParams).c),
	"copy_blocks":                          entry((*CopyBlocksParams).c),
}

func TestEveryFieldOfTheHeaderArrives(t *testing.T) {
	pattern := regexp.MustCompile(`(?s)typedef struct vkv_(\w+)_params \{(.*?)\n\}`)
	structs := pattern.FindAllStringSubmatch(header(t), -1)
	if len(structs) != len(entries)+1 { // the context's
		t.Errorf("the header has %d params structs, this test knows %d and the context's", len(structs), len(entries))
	}
	for _, s := range structs {
		if s[1] == "context" {
			continue
		}
		t.Run(s[1], func(t *testing.T) {
			if check, ok := entries[s[1]]; ok {
				check(t, declaredFields(s[2]))
			} else {
				t.Error("not known to this test")
			}
		})
	}
}

func TestContextParamsHaveEveryField(t *testing.T) {
	body := regexp.MustCompile(`(?s)typedef struct vkv_context_params \{(.*?)\n\}`).FindStringSubmatch(header(t))[1]
	for _, name := range declaredFields(body) {
		if name == "struct_size" || strings.HasPrefix(name, "reserved") {
			continue
		}
		if !fieldByCName(reflect.ValueOf(&ContextParams{}).Elem(), name).IsValid() {
			t.Errorf("ContextParams has no field for %s", name)
		}
	}
}

// Every operation of the header is a method, and its siblings are.
func TestEveryFunctionIsAMethod(t *testing.T) {
	declared := regexp.MustCompile(`vkv_status\s+vkv_(\w+)\(const vkv_context\* ctx,\s+const vkv_\w+_params\*`)
	functions := declared.FindAllStringSubmatch(header(t), -1)
	if len(functions) != 2*len(entries)+3 { // three operations take a workspace
		t.Errorf("the header declares %d functions of operations, expected %d", len(functions), 2*len(entries)+3)
	}
	for _, f := range functions {
		if _, ok := methodByCName(f[1]); !ok {
			t.Errorf("vkv_%s is no method of Context", f[1])
		}
	}
}

// entry gives each field of P a value of its own and looks for it in C's struct, whose fields are named as in the
// header.
func entry[P, C any](toC func(*P) C) func(t *testing.T, fields []string) {
	return func(t *testing.T, fields []string) {
		var params P
		target := reflect.ValueOf(&params).Elem()
		for i, name := range fields {
			if f := fieldByCName(target, name); f.IsValid() {
				mark(t, f, i+1)
			}
		}
		made := reflect.ValueOf(toC(&params))
		if made.NumField() != len(fields) {
			t.Errorf("cgo sees %d fields, this header has %d: is there another header, or an old build cache?",
				made.NumField(), len(fields))
		}
		for i, name := range fields {
			arrived := made.FieldByName(name)
			switch {
			case !arrived.IsValid():
				t.Errorf("cgo sees no field %s", name)
			case name == "struct_size":
				if arrived.Uint() != uint64(unsafe.Sizeof(toC(&params))) {
					t.Errorf("struct_size is %d, expected %d", arrived.Uint(), unsafe.Sizeof(toC(&params)))
				}
			case strings.HasPrefix(name, "reserved"):
				if !arrived.IsZero() {
					t.Errorf("%s is not zero", name)
				}
			case read(arrived) != int64(i+1):
				t.Errorf("%s is %d in C, expected %d", name, read(arrived), i+1)
			}
		}
	}
}

// somewhere is an address that Go's runtime does not take for a mistake.
const somewhere = 1 << 40

// mark sets a field to a value that holds the number n.
func mark(t *testing.T, f reflect.Value, n int) {
	switch f.Interface().(type) {
	case Tensor:
		f.Set(reflect.ValueOf(ShapeOnly(U8, n)))
		return
	case Workspace: // takes the place of two fields, pointer and size; the later one's number counts
		f.Set(reflect.ValueOf(Workspace{unsafe.Add(unsafe.Pointer(nil), somewhere+n-1), uint64(n)}))
		return
	}
	switch f.Kind() {
	case reflect.Float32, reflect.Float64:
		f.SetFloat(float64(n))
	case reflect.Uint32:
		f.SetUint(uint64(n))
	case reflect.Int32, reflect.Int64:
		f.SetInt(int64(n))
	default:
		t.Fatalf("a params field of type %v", f.Type())
	}
}

// read is the number that mark left, seen in C's struct.
func read(f reflect.Value) int64 {
	switch f.Kind() {
	case reflect.Struct:
		return f.FieldByName("shape").Index(0).Int()
	case reflect.Float32, reflect.Float64:
		return int64(f.Float())
	case reflect.UnsafePointer:
		return int64(f.Pointer()) - somewhere
	case reflect.Uint32, reflect.Uint64:
		return int64(f.Uint())
	}
	return f.Int()
}

func header(t *testing.T) string {
	text, err := os.ReadFile("../../include/vkv.h")
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// declaredFields are the names in the body of a struct.
func declaredFields(body string) []string {
	body = regexp.MustCompile(`(?s)/\*.*?\*/`).ReplaceAllString(body, "")
	var names []string
	for _, declaration := range strings.Split(body, ";") {
		if _, list, ok := strings.Cut(strings.TrimSpace(declaration), " "); ok {
			names = append(names, strings.Split(list, ", ")...)
		}
	}
	return names
}

// fieldByCName is the field that a name of the header has in Go.
func fieldByCName(structure reflect.Value, name string) reflect.Value {
	if name == "workspace_size" {
		name = "workspace"
	}
	return structure.FieldByNameFunc(func(goName string) bool { return sameName(goName, name) })
}

// methodByCName is the method of Context that a function of the header is in Go.
func methodByCName(name string) (reflect.Method, bool) {
	context := reflect.TypeOf(&Context{})
	for i := 0; i < context.NumMethod(); i++ {
		if sameName(context.Method(i).Name, name) {
			return context.Method(i), true
		}
	}
	return reflect.Method{}, false
}

func sameName(goName, cName string) bool {
	return strings.EqualFold(goName, strings.ReplaceAll(cName, "_", ""))
}
