package verify

import (
	"context"
	"sync"

	"github.com/lanyardctl/lanyardctl/record"
)

// drillDown is a pass over some buckets in which records are compared one by one. The source's are held; the target's pass
// by.
type drillDown struct {
	compare record.CompareOptions
	each    func(record.Difference) // may be nil
	buckets buckets
	wanted  map[int]*figures // by bucket

	mu       sync.Mutex
	seen     record.KeyCounts
	expected [record.KindCount]map[record.Identity]*expected // made as needed
	found    *differences
	differ   map[int]bool // buckets with a difference
}

// drillDown reads the source and then the target.
func (j *Job) drillDown(ctx context.Context, list []int) (*drillDown, error) {
	c := &drillDown{
		compare: j.opts.Compare,
		each:    j.opts.Each,
		buckets: buckets(j.opts.Buckets),
		wanted:  make(map[int]*figures, len(list)),
		found:   &differences{limit: j.opts.MaxDifferences},
		differ:  make(map[int]bool),
	}
	for _, b := range list {
		c.wanted[b] = &figures{of: j.opts.Kinds}
	}
	if err := j.readSource(ctx, c.page); err != nil {
		return nil, err
	}
	if err := j.readTarget(ctx, c.documents); err != nil {
		return nil, err
	}
	c.finish()
	return c, nil
}

func (c *drillDown) page(p record.Page) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.seen.Add(p.Seen)
	for _, it := range p.Items {
		wanted := c.wanted[c.buckets.item(it)]
		if wanted == nil {
			continue
		}
		wanted.rejects(it)
		if c.expected[it.Kind] == nil {
			c.expected[it.Kind] = make(map[record.Identity]*expected)
		}
		id := it.Identity()
		e := c.expected[it.Kind][id]
		if e == nil {
			e = new(expected)
			c.expected[it.Kind][id] = e
		}
		e.take(it)
	}
}

func (c *drillDown) documents(documents []record.Document) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, s := range documents {
		b := c.buckets.document(s)
		if wanted := c.wanted[b]; wanted != nil {
			c.judge(s, b, wanted.counts(s.Kind))
		}
	}
}

// judge compares one document of the target with what is expected.
func (c *drillDown) judge(s record.Document, bucket int, counts *Counts) {
	id := s.Identity()
	var e *expected
	if id != (record.Identity{}) || !s.Kind.Identified() {
		e = c.expected[s.Kind][id]
	}
	if e != nil && e.met && s.ID != "" && s.ID == e.id {
		return // it was judged before
	}
	counts.Target++
	if e == nil || !e.present || e.met {
		counts.Extra++
		if c.mindsExtra(s, e) {
			c.add(bucket, record.Difference{
				Kind: s.Kind, User: id.User, Name: s.Name.String(), Numeric: s.Numeric, Type: record.Extra,
			})
		}
		if e != nil {
			e.met = true
		}
		return
	}
	e.met, e.id = true, s.ID
	r, s := e.record(s.Kind, id), withDigests(s)
	found := record.Compare(r, s, c.compare)
	if len(found.Differences) > 0 {
		counts.Different++
		c.add(bucket, found.Differences...)
		return
	}
	counts.Agreeing++
	switch {
	case found.Kept > 0:
		counts.Kept++
	case s.Content(c.compare.Now).Record.Digest() != r.Digest():
		counts.Ahead++
	}
}

// mindsExtra reports whether an unmatched document of the target counts as a difference: always for a second document of
// a record that the source knows, since the app reads either, and for one that lets somebody in and the source does not
// have; otherwise only where equality is asked for, and what stands there is not of values that were only rejected.
func (c *drillDown) mindsExtra(s record.Document, e *expected) bool {
	switch {
	case e != nil && e.met:
		return true
	case s.Kind.Admits():
		return c.compare.Exact || e == nil || !e.hasRejectedKey(s)
	case e != nil && s.Kind.Shape() == record.TimeShape:
		return false // the source has a time of the user that is none
	case c.compare.Exact && e != nil && e.more != nil:
		id := s.Identity()
		nothing := record.Record{Kind: s.Kind, User: id.User, Name: id.Name, Omitted: e.more.omitted}
		return len(record.Compare(nothing, s, c.compare).Differences) > 0
	}
	return c.compare.Exact
}

func (c *drillDown) add(bucket int, found ...record.Difference) {
	c.differ[bucket] = true
	c.found.add(found...)
	if c.each != nil {
		for _, d := range found {
			c.each(d)
		}
	}
}

// finish tells of the records that met no document.
func (c *drillDown) finish() {
	for kind, records := range c.expected {
		for id, e := range records {
			if !e.present {
				continue
			}
			name := id.Name.String()
			b := c.buckets.of(id.User, name)
			counts := c.wanted[b].counts(record.Kind(kind))
			counts.Source++
			switch {
			case e.met:
			case e.empty(record.Kind(kind)):
				counts.Agreeing++
			default:
				counts.Missing++
				c.add(b, record.Difference{Kind: record.Kind(kind), User: id.User, Name: name, Type: record.Missing})
			}
		}
	}
}
