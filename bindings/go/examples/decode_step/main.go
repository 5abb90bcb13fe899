// Decode_step is one decode step of three sequences: their keys and values go into a paged cache, one query token
// each attends to them, and the result is compared with a plain computation.
package main

import (
	"fmt"
	"log"
	"math"

	vkv "github.com/libvkv/libvkv/bindings/go"
)

const (
	blocks, blockSize, tableWidth = 8, 16, 3
	heads, kvHeads, dim           = 8, 2, 64
	keySeed                       = 0
	valueSeed                     = 1000000
	querySeed                     = 2000000
	cacheSize                     = blocks * blockSize * kvHeads * dim
	tolerance                     = 1e-5
)

// The sequences' lengths, and the blocks that hold them: rows of a padded table.
var (
	lengths = []int32{5, 16, 33}
	table   = []int32{7, 0, 0, 6, 0, 0, 5, 4, 3}
)

func main() {
	log.SetFlags(0)
	tokens := 0
	var slots []int64
	for s, length := range lengths {
		for t := 0; t < int(length); t++ {
			block := table[s*tableWidth+t/blockSize]
			slots = append(slots, int64(block)*blockSize+int64(t%blockSize))
		}
		tokens += int(length)
	}
	keys, values := numbers(keySeed, tokens*kvHeads*dim), numbers(valueSeed, tokens*kvHeads*dim)
	queries := numbers(querySeed, len(lengths)*heads*dim)
	out := make([]float32, len(queries))
	if err := decode(queries, keys, values, slots, out); err != nil {
		log.Fatal(err)
	}

	worst := 0.0
	for i, want := range attention(queries, keys, values) {
		worst = math.Max(worst, math.Abs(float64(out[i])-want)) // NaN stays NaN
	}
	fmt.Printf("decode step: max error %.1e over %d sequences\n", worst, len(lengths))
	if !(worst <= tolerance) {
		log.Fatalf("the error is above %g", tolerance)
	}
}

// decode is the step: write, then attend.
func decode(queries, keys, values []float32, slots []int64, out []float32) error {
	ctx, err := vkv.NewContext(&vkv.ContextParams{Backend: vkv.BackendCPU})
	if err != nil {
		return err
	}
	defer ctx.Close()
	keyCache := vkv.Of(make([]float32, cacheSize), blocks, blockSize, kvHeads, dim)
	valueCache := vkv.Of(make([]float32, cacheSize), blocks, blockSize, kvHeads, dim)
	err = ctx.ReshapeAndCacheFlash(&vkv.ReshapeAndCacheFlashParams{
		Key:         vkv.Of(keys, len(slots), kvHeads, dim),
		Value:       vkv.Of(values, len(slots), kvHeads, dim),
		KeyCache:    keyCache,
		ValueCache:  valueCache,
		SlotMapping: vkv.Of(slots),
	}, vkv.DefaultStream)
	if err != nil {
		return err
	}
	attend := &vkv.PagedAttentionParams{
		Query:      vkv.Of(queries, len(lengths), heads, dim),
		Out:        vkv.Of(out, len(lengths), heads, dim),
		KeyCache:   keyCache,
		ValueCache: valueCache,
		BlockTable: vkv.Of(table, len(lengths), tableWidth),
		SeqLens:    vkv.Of(lengths),
	}
	size, err := ctx.PagedAttentionWorkspaceSize(attend)
	if err != nil {
		return err
	}
	attend.Workspace = vkv.HostWorkspace(size)
	if err := ctx.PagedAttention(attend, vkv.DefaultStream); err != nil {
		return err
	}
	report, err := ctx.ReadDeviceReport()
	if err != nil {
		return err
	}
	return report.Err()
}

// numbers are pseudo-random in [-0.5, 0.5), the same in every language.
func numbers(seed uint64, count int) []float32 {
	all := make([]float32, count)
	for i := range all {
		x := ((seed+uint64(i))*1103515245 + 12345) % (1 << 31)
		all[i] = float32(float64(x)/(1<<31) - 0.5)
	}
	return all
}

// attention is the plain computation, on keys and values as they were before they went into blocks.
func attention(queries, keys, values []float32) []float64 {
	out := make([]float64, len(queries))
	first := 0
	for s, length := range lengths {
		for h := 0; h < heads; h++ {
			row := (s*heads + h) * dim
			weights, sum := make([]float64, length), 0.0
			at := func(t int) int { return ((first+t)*kvHeads + h/(heads/kvHeads)) * dim }
			for t := range weights {
				dot := 0.0
				for d := 0; d < dim; d++ {
					dot += float64(queries[row+d]) * float64(keys[at(t)+d])
				}
				weights[t] = math.Exp(dot / math.Sqrt(dim))
				sum += weights[t]
			}
			for t, w := range weights {
				for d := 0; d < dim; d++ {
					out[row+d] += w / sum * float64(values[at(t)+d])
				}
			}
		}
		first += int(length)
	}
	return out
}
