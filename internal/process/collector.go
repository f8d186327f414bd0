package process

import (
	"math"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"sync"
)

// A run's live heap is small and what it reads is soon garbage, so that Go's default, which lets the heap double, would
// collect all the time.
const (
	headroom = 28 << 20 // by which the heap grows over what is alive on it before garbage is collected
	least    = 11 << 20 // the same where more is alive
	aim      = 54 << 20 // what the heap then stays within, as long as least leaves it room
	limit    = 68 << 20 // of the heap and all that Go needs beside, above which it gives memory back to the system at once
)

// PaceCollector sets after each collection of garbage when the next one is due: when the heap has grown by the headroom, by
// less where that would take it beyond its aim, and by a quarter at least. Memory stays bounded by what is alive: a limit
// that does not grow with that would have Go do nothing but collect.
func PaceCollector() {
	pacing.Lock()
	paced = true
	pacing.Unlock()
	pace(&pacer{})
}

// LeaveCollector ends what PaceCollector began, for a process that is a server, of documents as large as the aim: it takes
// memory as its work needs it, and spends none of its time on giving it back.
func LeaveCollector() {
	pacing.Lock()
	defer pacing.Unlock()
	if paced {
		paced = false
		debug.SetGCPercent(100) // Go's default, as is no limit
		debug.SetMemoryLimit(math.MaxInt64)
	}
}

var (
	pacing sync.Mutex // guards paced, and what is set by it
	paced  bool
)

func pace(p *pacer) {
	pacing.Lock()
	defer pacing.Unlock()
	if !paced {
		return
	}
	live := liveHeap()
	debug.SetGCPercent(percentFor(live))
	debug.SetMemoryLimit(limitFor(live))
	runtime.SetFinalizer(p, pace) // which the next collection calls
}

// pacer is what each collection finds to be garbage. An object without a pointer may share its memory with others, and
// then no finalizer runs in time.
type pacer struct{ _ *pacer }

// percentFor returns the growth, in percent of the live heap, after which garbage is collected.
func percentFor(live uint64) int {
	const most = 800 // Go multiplies four MiB where less is alive
	if live == 0 {
		return most
	}
	room := uint64(least)
	if live < aim-least {
		room = min(aim-live, headroom)
	}
	return int(min(max(room, live/4)*100/live, most))
}

// limitFor returns the limit of all that Go takes, while so much is alive.
func limitFor(live uint64) int64 { return int64(max(limit, live+live/2)) }

func liveHeap() uint64 {
	sample := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
	metrics.Read(sample)
	if sample[0].Value.Kind() != metrics.KindUint64 {
		return 0
	}
	return sample[0].Value.Uint64()
}
