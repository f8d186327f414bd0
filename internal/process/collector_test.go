package process

import (
	"math"
	"runtime"
	"runtime/debug"
	"testing"
	"time"
)

func TestTheHeapGrowsByTheHeadroom(t *testing.T) {
	for mib, want := range map[uint64]int{0: 800, 1: 800, 8: 350, 32: 68, 40: 35, 52: 25, 60: 25, 1 << 10: 25} {
		live := mib << 20
		if got := percentFor(live); got != want {
			t.Errorf("with %d MiB alive: %d %%, want %d %%", mib, got, want)
		}
	}
}

func TestTheLimitGrowsWithWhatIsAlive(t *testing.T) {
	for mib, want := range map[uint64]int64{0: 68, 40: 68, 64: 96, 1 << 10: 1536} {
		if got := limitFor(mib<<20) >> 20; got != want {
			t.Errorf("with %d MiB alive: %d MiB, want %d", mib, got, want)
		}
	}
}

func TestEachCollectionSetsWhenTheNextIsDue(t *testing.T) {
	before := debug.SetGCPercent(100)
	defer debug.SetGCPercent(before)
	defer debug.SetMemoryLimit(debug.SetMemoryLimit(-1))
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
	LeaveCollector()
	for range 2 {
		debug.SetGCPercent(77)
		runtime.GC()
		runtime.GC() // by now the finalizer of the first has been called, or will be
		time.Sleep(10 * time.Millisecond)
		if set := debug.SetGCPercent(100); set != 77 {
			t.Errorf("a collection that was left alone has set %d %%", set)
		}
	}
	if limit := debug.SetMemoryLimit(-1); limit != math.MaxInt64 {
		t.Errorf("a collector that was left alone has a limit of %d", limit)
	}
}
