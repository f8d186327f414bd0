package mirror

import (
	"math"
	"sync"
	"time"

	"github.com/lanyardctl/lanyardctl/record"
)

// Fate is what became of a mark.
type Fate uint8

// The fates.
const (
	Absent     Fate = iota // neither side holds anything
	Unchanged              // the target held it
	Inserted               // a new document
	Updated                // of a document
	Deleted                // the source holds nothing any more, and the document was the mirror's own
	Kept                   // the source holds nothing, and the document is somebody else's
	HeldBack               // the source lost too much: the document stays for now
	Conflicted             // somebody else wrote another value to the target
	Rejected               // the source's value cannot be written
	fateCount
)

var fateNames = [...]string{"absent", "unchanged", "inserted", "updated", "deleted", "kept", "held_back", "conflicts", "rejected"}

// FateCount is the number of fates; fates are the integers below it.
const FateCount = int(fateCount)

// String returns the fate's name as reports spell it.
func (f Fate) String() string { return fateNames[f] }

func (f Fate) isProblem() bool { return f >= HeldBack }

func fateOf(s record.Status) Fate {
	switch s {
	case record.Inserted:
		return Inserted
	case record.Updated:
		return Updated
	case record.Conflicted:
		return Conflicted
	case record.Rejected:
		return Rejected
	}
	return Unchanged
}

// Counts are how many marks of a kind had which fate.
type Counts [FateCount]int64

// State says in words what the mirror is doing. It is the whole truth: a mirror is caught up in the state [Following] alone.
type State string

// The states.
const (
	Standby     State = "standby"      // another process has the lease
	Connecting  State = "connecting"   // there is no session
	Copying     State = "copying"      // the first time, everything is merged
	Comparing   State = "comparing"    // something may have been missed: both sides are compared
	CatchingUp  State = "catching up"  // marks wait for too long
	HoldingBack State = "holding back" // the source lost most of its data, and the target keeps what it has
	Following   State = "following"
)

// States are all of them.
var States = []State{Standby, Connecting, Copying, Comparing, CatchingUp, HoldingBack, Following}

// Snapshot is how a mirror stands at one moment.
type Snapshot struct {
	State State
	Way   record.FeedWay // of the session; empty where there is none

	Changes int64         // that the feed told of
	Waiting int64         // marks that wait or are worked on
	Lag     time.Duration // for how long the oldest of them does; zero where there is none

	Kinds          [record.KindCount]Counts
	Sessions       int64 // that were opened
	Reconciled     int64 // comparisons that came to their end
	LastReconciled time.Time
	LastChange     time.Time // when the feed told of one last

	// Conflicts and HeldBack are how many documents have such a problem now. Rejects is how many values of the source the
	// last comparison found that cannot be mirrored.
	Conflicts, HeldBack, Rejects int64

	Latency Latency
}

// Report is what a mirror did, also where it failed.
type Report struct {
	Snapshot
	Why string // no better way to see changes, for people

	// Agreed tells that the last comparison found nothing that the mirror would change, for a run that is over then.
	Agreed bool

	// Differences are what stays different, for such a run; Total is how many there are.
	Differences []record.Difference
	Total       int64

	// Quiet is since when no change came, as far as the run has seen any; else since when it runs.
	Quiet time.Time

	StartedAt      time.Time
	Duration       time.Duration
	RejectsFile    string
	SupersededFile string

	// EarlierRejects and EarlierSuperseded are how many lines of other runs are in the files.
	EarlierRejects, EarlierSuperseded int64
}

// Latency is how long changes took from the feed to the target, by [LatencyBounds].
type Latency struct {
	Counts [len(LatencyBounds) + 1]int64
	Sum    time.Duration
	Most   time.Duration
}

// LatencyBounds are the upper bounds of the latencies that are counted together.
var LatencyBounds = [...]time.Duration{
	time.Millisecond, 2 * time.Millisecond, 5 * time.Millisecond, 10 * time.Millisecond, 20 * time.Millisecond, 50 * time.Millisecond,
	75 * time.Millisecond, 100 * time.Millisecond, 200 * time.Millisecond, 500 * time.Millisecond, time.Second, 2 * time.Second,
	5 * time.Second, 10 * time.Second, 30 * time.Second, time.Minute, 10 * time.Minute, time.Hour,
}

func (l *Latency) add(d time.Duration) {
	at := 0
	for at < len(LatencyBounds) && d > LatencyBounds[at] {
		at++
	}
	l.Counts[at]++
	l.Sum += d
	l.Most = max(l.Most, d)
}

// Total returns how many latencies were counted.
func (l Latency) Total() (n int64) {
	for _, c := range l.Counts {
		n += c
	}
	return n
}

// Quantile returns a bound under which a share of the latencies is: 0.99 for that of 99 %. It is zero where none was counted.
func (l Latency) Quantile(share float64) time.Duration {
	rank := int64(math.Ceil(share * float64(l.Total())))
	for at, c := range l.Counts {
		if rank -= c; rank <= 0 && c > 0 {
			if at == len(LatencyBounds) {
				return l.Most
			}
			return min(LatencyBounds[at], l.Most)
		}
	}
	return 0
}

// statistics are the figures of a run.
type statistics struct {
	mu      sync.Mutex
	kinds   [record.KindCount]Counts
	latency Latency
	watched map[mark]Fate // the marks that are looked at, with their last fate; fateCount for none yet
}

// applied takes in what became of a batch.
func (s *statistics) applied(b batch, fates map[mark]Fate, now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for k, f := range fates {
		s.kinds[k.kind][f]++
		if _, watched := s.watched[k]; watched {
			s.watched[k] = f
		}
	}
	for _, by := range b {
		if !by.compared {
			s.latency.add(now.Sub(by.at))
		}
	}
}

// watch looks at marks from now on, and at no others.
func (s *statistics) watch(list []mark) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.watched = make(map[mark]Fate, len(list))
	for _, k := range list {
		s.watched[k] = fateCount
	}
}

// seen returns the fates of what is watched.
func (s *statistics) seen() map[mark]Fate {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.watched
}
