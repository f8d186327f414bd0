package verify

import (
	"context"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/lanyardctl/lanyardctl/record"
)

// tally is the first pass: both sides, summed up.
type tally struct {
	buckets        buckets
	source, target *side

	mu       sync.Mutex
	seen     record.Seen
	reasons  map[record.Reason]int64
	rejected [record.KindCount]int64
	mistyped [record.KindCount]int64
}

// takeTally reads both sides at the same time.
func (j *Job) takeTally(ctx context.Context) (*tally, error) {
	n := buckets(j.opts.Buckets)
	t := &tally{buckets: n, source: newSide(n), target: newSide(n), reasons: make(map[record.Reason]int64)}
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return j.readSource(ctx, t.page) })
	group.Go(func() error {
		return j.readTarget(ctx, func(standings []record.Standing) { t.standings(standings, j.opts.Compare) })
	})
	return t, group.Wait()
}

// page sums up a page of the source. It is safe for concurrent use, as standings is.
func (t *tally) page(p record.Page) {
	entries := make([]entry, 0, len(p.Items))
	for _, it := range p.Items {
		e := entry{bucket: t.buckets.of(it.User(), ""), kind: it.Kind, cost: costOf(it), held: it.Record != nil}
		if e.held {
			e.digest = it.Record.Digest()
		}
		entries = append(entries, e)
	}
	t.source.add(entries)
	t.count(p)
}

// count counts what a page says of the source.
func (t *tally) count(p record.Page) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.seen.Add(p.Seen)
	for _, it := range p.Items {
		if it.Record == nil {
			t.rejected[it.Kind]++
		}
		for _, reject := range it.Rejects {
			t.reasons[reject.Reason]++
		}
	}
}

// odd is added to the digest of a document of which the digest does not say all, so that its bucket is looked into.
var odd = record.ValueDigest("odd")

func (t *tally) standings(standings []record.Standing, o record.CompareOptions) {
	entries := make([]entry, 0, len(standings))
	var mistyped [record.KindCount]int64
	for _, s := range standings {
		c := s.Content(o.Now)
		e := entry{bucket: t.buckets.of(s.User, s.Name), kind: s.Kind, digest: c.Record.Digest(), held: true}
		if !c.Plain {
			for i := range e.digest {
				e.digest[i] ^= odd[i]
			}
		}
		if c.Mistyped {
			mistyped[s.Kind]++
		}
		entries = append(entries, e)
	}
	t.target.add(entries)
	t.mu.Lock()
	defer t.mu.Unlock()
	for kind, n := range mistyped {
		t.mistyped[kind] += n
	}
}

// differing returns the buckets in which the sides differ, in order.
func (t *tally) differing() []int {
	var list []int
	for b := range t.source.buckets {
		if !t.source.buckets[b].same(&t.target.buckets[b]) {
			list = append(list, b)
		}
	}
	return list
}

// settled returns what is known of the kinds from the buckets that do not differ.
func (t *tally) settled() (counts [record.KindCount]Counts) {
	for b := range t.source.buckets {
		if !t.source.buckets[b].same(&t.target.buckets[b]) {
			continue
		}
		for kind, n := range t.source.buckets[b].records {
			counts[kind].Source += int64(n)
			counts[kind].Target += int64(n)
			counts[kind].Agreeing += int64(n)
		}
	}
	for kind := range counts {
		counts[kind].Rejected = t.rejected[kind]
		counts[kind].Source += t.rejected[kind]
		counts[kind].Mistyped = t.mistyped[kind]
	}
	return counts
}
