package process

import (
	"runtime"
	"runtime/debug"
	"testing"
	"time"
)

func TestTheHeapGrowsByTheHeadroom(t *testing.T) {
	for live, want := range map[uint64]int{0: 800, 1 << 20: 800, 8 << 20: 400, 32 << 20: 100, 64 << 20: 50, 1 << 30: 25} {
		if got := percentFor(live); got != want {
			t.Errorf("with %d MiB alive: %d %%, want %d %%", live>>20, got, want)
		}
	}
}

func TestEachCollectionSetsWhenTheNextIsDue(t *testing.T) {
	before := debug.SetGCPercent(100)
	defer debug.SetGCPercent(before)
	PaceCollector()
	for range 2 { // the second is set by what the first has left behind
		debug.SetGCPercent(100)
		runtime.GC()
		deadline := time.Now().Add(time.Minute)
		for set := 100; set == 100; set = debug.SetGCPercent(100) {
			if time.Now().After(deadline) {
				t.Fatal("no collection has set anything")
			}
			time.Sleep(time.Millisecond)
		}
	}
}
