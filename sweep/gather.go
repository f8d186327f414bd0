package sweep

import (
	"context"
	"fmt"

	"github.com/lanyardctl/lanyardctl/record"
)

// fault is why what stands at a place is no date.
type fault struct {
	reason record.Reason
	detail string
}

// gather reads every source once, and turns what bears on dates into entries.
type gather struct {
	job    *Job
	sorter *sorter
	buffer []byte
	faults []fault
	known  map[fault]uint16

	keyless string // the ID of the first document without a key
}

// run reads all sources.
func (g *gather) run(ctx context.Context) error {
	for _, c := range record.UserCollections {
		err := g.job.retry.Do(ctx, func() error { return g.collection(ctx, c) })
		if err != nil {
			return err
		}
	}
	for i, source := range g.job.opts.Dates {
		if err := g.source(ctx, i, source); err != nil {
			return err
		}
	}
	return nil
}

// collection reads a collection. What an earlier attempt read comes twice then, and is counted once.
func (g *gather) collection(ctx context.Context, c record.Collection) error {
	g.job.phase("reading "+c.String(), g.job.expected[c], unitDocuments)
	return g.job.opts.Documents.Outline(ctx, c, func(page []record.Document) error {
		for _, doc := range page {
			if err := g.document(doc); err != nil {
				return err
			}
		}
		g.job.done.Add(int64(len(page)))
		return nil
	})
}

func (g *gather) source(ctx context.Context, i int, source record.DateSource) error {
	total, err := source.Total(ctx)
	if err != nil {
		return err
	}
	g.job.phase("reading "+nameOf(source), total, unitEntries)
	return source.Claims(ctx, func(page []record.Claim) error {
		for _, c := range page {
			if err := g.claim(g.job.places.of[i][c.Place], c); err != nil {
				return err
			}
		}
		g.job.done.Add(int64(len(page)))
		return nil
	})
}

// nameOf returns what a source is called in the progress: its only place, or what its places have in common.
func nameOf(source record.DateSource) string {
	list := source.Places()
	if len(list) == 1 {
		return list[0].Name
	}
	return fmt.Sprintf("%d places beside MongoDB", len(list))
}

func (g *gather) add(e entry) error {
	g.buffer = e.append(g.buffer[:0])
	return g.sorter.add(g.buffer)
}

func (g *gather) document(doc record.Document) error {
	if doc.User == 0 {
		return g.add(entry{group: uint16(doc.Collection), id: doc.ID})
	}
	from, _ := g.job.places.in(uint16(doc.Collection))
	e := entry{user: doc.User, group: uint16(doc.Collection), id: doc.ID}
	if doc.Numeric {
		e.flags |= numeric
	}
	if doc.Collection == record.APIKeysCollection && doc.Held.APIKey == "" && doc.Held.Junk == nil {
		e.flags |= keyless
		if g.keyless == "" {
			g.keyless = doc.ID
		}
		g.job.keyless = g.job.keyless || g.keyless != doc.ID
	}
	bounds := g.job.bounds(doc.User)
	for i, p := range record.PlacesIn(doc.Collection) {
		if v, ok := doc.Held.Times[p.Field]; ok {
			e.finds = append(e.finds, g.find(uint16(from+i), v, bounds))
		}
	}
	if doc.Collection == record.MonitoringCollection {
		e.right, _ = doc.Held.Times[record.TimeField(record.MonitoringSince)].(int64)
	}
	return g.add(e)
}

func (g *gather) claim(place uint16, c record.Claim) error {
	if c.User == 0 {
		return g.add(entry{group: g.job.places.group(place), id: c.Name})
	}
	e := entry{user: c.User, group: g.job.places.group(place)}
	switch {
	case c.Reason != "":
		e.finds = []find{{place: place, fault: g.fault(c.Reason, c.Detail)}}
	case c.Has:
		e.finds = []find{g.find(place, c.Value, g.job.bounds(c.User))}
	}
	return g.add(e)
}

func (g *gather) find(place uint16, v any, bounds record.Bounds) find {
	m, reason, detail := record.Timestamp(record.MonitoringSince, v, bounds)
	if reason != "" {
		return find{place: place, fault: g.fault(reason, detail)}
	}
	return find{place: place, date: m.Time}
}

// mostFaults bounds the different details that are kept apart; further ones lose theirs.
const mostFaults = 1000

// fault returns the index of a fault, from 1.
func (g *gather) fault(reason record.Reason, detail string) uint16 {
	f := fault{reason, detail}
	if i, ok := g.known[f]; ok {
		return i
	}
	if len(g.faults) >= mostFaults && detail != "" {
		return g.fault(reason, "")
	}
	g.faults = append(g.faults, f)
	i := uint16(len(g.faults))
	g.known[f] = i
	return i
}
