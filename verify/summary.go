package verify

import (
	"context"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/lanyardctl/lanyardctl/record"
)

// summary is the first pass: both sides, summed up.
type summary struct {
	buckets        buckets
	source, target *bucketSet

	mu      sync.Mutex
	seen    record.KeyCounts
	rejects map[int]*figures         // by bucket
	noted   [record.KindCount]Counts // of documents: Mistyped and Numeric
}

func newSummary(n buckets) *summary {
	return &summary{buckets: n, source: newBucketSet(n), target: newBucketSet(n), rejects: make(map[int]*figures)}
}

// summarize reads both sides at the same time. Also after an error the summary is what was read until then.
func (j *Job) summarize(ctx context.Context) (*summary, error) {
	t := newSummary(buckets(j.opts.Buckets))
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return j.readSource(ctx, t.page) })
	group.Go(func() error {
		return j.readTarget(ctx, func(documents []record.Document) { t.documents(documents, j.opts.Compare) })
	})
	return t, group.Wait()
}

// page sums up a page of the source. It is safe for concurrent use, as documents is.
func (t *summary) page(p record.Page) {
	entries := make([]entry, 0, len(p.Items))
	for _, it := range p.Items {
		e := entry{bucket: t.buckets.item(it), kind: it.Kind, cost: costOf(it), isRecord: it.Record != nil}
		if e.isRecord {
			e.digest = it.Record.Digest()
		}
		entries = append(entries, e)
	}
	t.source.add(entries)
	t.countRejects(p)
}

// countRejects counts a page's keys, and what is rejected of its items.
func (t *summary) countRejects(p record.Page) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.seen.Add(p.Seen)
	for _, it := range p.Items {
		if len(it.Rejects) == 0 {
			continue
		}
		b := t.buckets.item(it)
		if t.rejects[b] == nil {
			t.rejects[b] = new(figures)
		}
		t.rejects[b].rejects(it)
	}
}

// odd is added to the digest of a document of which the digest does not say all, so that its bucket is looked into.
var odd = record.ValueDigest("odd")

func (t *summary) documents(documents []record.Document, o record.CompareOptions) {
	entries := make([]entry, 0, len(documents))
	var noted [record.KindCount]Counts
	for _, s := range documents {
		c := s.Content(o.Now)
		e := entry{bucket: t.buckets.document(s), kind: s.Kind, digest: c.Record.Digest(), isRecord: true}
		if !c.Complete {
			for i := range e.digest {
				e.digest[i] ^= odd[i]
			}
		}
		if c.Mistyped {
			noted[s.Kind].Mistyped++
		}
		if s.Numeric {
			noted[s.Kind].Numeric++
		}
		entries = append(entries, e)
	}
	t.target.add(entries)
	t.mu.Lock()
	defer t.mu.Unlock()
	for kind, counts := range noted {
		t.noted[kind].Add(counts)
	}
}

// differing returns the buckets in which the sides differ, in order.
func (t *summary) differing() []int {
	var list []int
	for b := range t.source.buckets {
		if !t.source.buckets[b].same(&t.target.buckets[b]) {
			list = append(list, b)
		}
	}
	return list
}

// agreeing returns what is known from the buckets that do not differ.
func (t *summary) agreeing() figures {
	var f figures
	for b := range t.source.buckets {
		if !t.source.buckets[b].same(&t.target.buckets[b]) {
			continue
		}
		for kind, n := range t.source.buckets[b].records {
			f.kinds[kind].Add(Counts{Source: int64(n), Target: int64(n), Agreeing: int64(n)})
		}
		if rejects := t.rejects[b]; rejects != nil {
			f.add(*rejects)
		}
	}
	for kind, counts := range t.noted {
		f.kinds[kind].Add(counts)
	}
	return f
}
