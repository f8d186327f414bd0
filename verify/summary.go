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
	kinds          record.Kinds
	source, target *bucketSet

	mu      sync.Mutex
	seen    record.KeyCounts
	rejects map[int]*figures         // by bucket
	noted   [record.KindCount]Counts // of documents: Mistyped and Numeric
}

func newSummary(n buckets, kinds record.Kinds) *summary {
	return &summary{buckets: n, kinds: kinds, source: newBucketSet(n, kinds), target: newBucketSet(n, kinds), rejects: make(map[int]*figures)}
}

// summarize reads both sides at the same time. Also after an error the summary is what was read until then.
func (j *Job) summarize(ctx context.Context) (*summary, error) {
	t := newSummary(buckets(j.opts.Buckets), j.opts.Kinds)
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return j.readSource(ctx, t.page) })
	group.Go(func() error { return j.readDigests(ctx, t.documents) })
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
			t.rejects[b] = &figures{of: t.kinds}
		}
		t.rejects[b].rejects(it)
	}
}

// odd is added to the digest of a document of which the digest does not say all, so that its bucket is looked into.
var odd = record.ValueDigest("odd")

func (t *summary) documents(kind record.Kind, documents []record.DocumentDigest) {
	entries := make([]entry, 0, len(documents))
	var noted Counts
	for _, d := range documents {
		if !d.Complete {
			for i := range d.Digest {
				d.Digest[i] ^= odd[i]
			}
		}
		if d.Mistyped {
			noted.Mistyped++
		}
		if d.Numeric {
			noted.Numeric++
		}
		entries = append(entries, entry{bucket: t.buckets.hash(d.Hash), kind: kind, digest: d.Digest, isRecord: true})
	}
	t.target.add(entries)
	t.mu.Lock()
	defer t.mu.Unlock()
	t.noted[kind].Add(noted)
}

// differing returns the buckets in which the sides differ, in order.
func (t *summary) differing() []int {
	var list []int
	for b := range t.source.buckets {
		if !t.source.same(t.target, b) {
			list = append(list, b)
		}
	}
	return list
}

// agreeing returns what is known from the buckets that do not differ.
func (t *summary) agreeing() figures {
	f := figures{of: t.kinds}
	kinds := t.kinds.List()
	for b := range t.source.buckets {
		if !t.source.same(t.target, b) {
			continue
		}
		for i, n := range t.source.recordsOf(b) {
			f.counts(kinds[i]).Add(Counts{Source: int64(n), Target: int64(n), Agreeing: int64(n)})
		}
		if rejects := t.rejects[b]; rejects != nil {
			f.add(*rejects)
		}
	}
	for _, kind := range kinds {
		f.counts(kind).Add(t.noted[kind])
	}
	return f
}
