// One context, and several, under many goroutines: right results, and to each failure its own sentence.
package vkv

import (
	"errors"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"testing"
)

const (
	goroutines = 32
	rounds     = 50
)

func parallel(work func(goroutine int) error) error {
	errs := make(chan error, goroutines)
	for g := 0; g < goroutines; g++ {
		go func(g int) { errs <- work(g) }(g)
	}
	var first error
	for g := 0; g < goroutines; g++ {
		if err := <-errs; first == nil {
			first = err
		}
	}
	return first
}

// attendOnce attends over one block whose values all are v, so that v is the result.
func attendOnce(ctx *Context, v float32) error {
	const blocks, blockSize, heads, dim = 2, 4, 2, 8
	tokens := blockSize
	kv := make([]float32, tokens*heads*dim)
	for i := range kv {
		kv[i] = v
	}
	keyCache, valueCache := make([]float32, blocks*blockSize*heads*dim), make([]float32, blocks*blockSize*heads*dim)
	write := &ReshapeAndCacheFlashParams{
		Key: Of(kv, tokens, heads, dim), Value: Of(kv, tokens, heads, dim),
		KeyCache:    Of(keyCache, blocks, blockSize, heads, dim),
		ValueCache:  Of(valueCache, blocks, blockSize, heads, dim),
		SlotMapping: Of([]int64{4, 5, 6, 7}),
	}
	if err := ctx.ReshapeAndCacheFlash(write, DefaultStream); err != nil {
		return err
	}
	out := make([]float32, heads*dim)
	attend := &PagedAttentionParams{
		Query: Of(make([]float32, heads*dim), 1, heads, dim), Out: Of(out, 1, heads, dim),
		KeyCache: write.KeyCache, ValueCache: write.ValueCache,
		BlockTable: Of([]int32{1}, 1, 1), SeqLens: Of([]int32{int32(tokens)}),
	}
	size, err := ctx.PagedAttentionWorkspaceSize(attend)
	if err != nil {
		return err
	}
	attend.Workspace = HostWorkspace(size)
	if err := ctx.PagedAttention(attend, DefaultStream); err != nil {
		return err
	}
	for i, x := range out {
		if diff := x - v; diff > 1e-5*v || diff < -1e-5*v {
			return fmt.Errorf("out[%d] is %v, expected %v", i, x, v)
		}
	}
	return nil
}

func TestGoroutinesShareAContext(t *testing.T) {
	ctx := cpu(t)
	if err := parallel(func(g int) error {
		for i := 0; i < rounds; i++ {
			if err := attendOnce(ctx, float32(1+g*rounds+i)); err != nil {
				return err
			}
		}
		return nil
	}); err != nil {
		t.Error(err)
	}
}

func TestGoroutinesWithTheirOwnContexts(t *testing.T) {
	if err := parallel(func(g int) error {
		ctx, err := NewContext(&ContextParams{Backend: BackendCPU, NumThreads: int32(1 + g%3)})
		if err != nil {
			return err
		}
		defer ctx.Close()
		for i := 0; i < rounds/5; i++ {
			if err := attendOnce(ctx, float32(1+g)); err != nil {
				return err
			}
		}
		return nil
	}); err != nil {
		t.Error(err)
	}
}

// Goroutines outnumber the threads and yield all the time: a sentence fetched on another thread would be another's.
func TestEveryFailureHasItsOwnSentence(t *testing.T) {
	ctx := cpu(t)
	if err := parallel(func(g int) error {
		for i := 0; i < rounds*10; i++ {
			n := 1000 + g*rounds*10 + i
			p := &ConcatMLAQParams{
				QLNope: ShapeOnly(F32, 1, 2, 8), QPE: ShapeOnly(F32, 1, 2, 8), QOut: ShapeOnly(F32, 1, 2, n),
			}
			err := ctx.ConcatMLAQSupported(p)
			want := fmt.Sprintf("q_out.shape[2] is %d, expected 16", n)
			if !errors.Is(err, ErrInvalidArgument) || !strings.Contains(err.Error(), want) {
				return fmt.Errorf("%v, expected %q", err, want)
			}
			runtime.Gosched()
		}
		return nil
	}); err != nil {
		t.Error(err)
	}
}

// Close waits for the calls in flight, and later calls are refused.
func TestCloseWhileOthersCall(t *testing.T) {
	ctx, err := NewContext(&ContextParams{Backend: BackendCPU})
	if err != nil {
		t.Fatal(err)
	}
	var started sync.WaitGroup
	started.Add(goroutines)
	go func() {
		started.Wait()
		ctx.Close()
	}()
	if err := parallel(func(g int) error {
		started.Done()
		for {
			if err := attendOnce(ctx, float32(1+g)); errors.Is(err, ErrClosed) {
				return nil
			} else if err != nil {
				return err
			}
		}
	}); err != nil {
		t.Error(err)
	}
}
