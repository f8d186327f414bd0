package sweep

import (
	"context"
	"fmt"

	"github.com/lanyardctl/lanyardctl/record"
)

// defect is why what stands at a place is no date.
type defect struct {
	reason record.Reason
	detail string
}

// collector reads every source once, and turns what bears on dates into entries.
type collector struct {
	job     *Job
	sorter  *sorter
	buffer  []byte
	defects []defect
	known   map[defect]uint16

	keyless string // the ID of the first document without a key
}

// run reads all sources.
func (g *collector) run(ctx context.Context) error {
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
func (g *collector) collection(ctx context.Context, c record.Collection) error {
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

func (g *collector) source(ctx context.Context, i int, source record.DateSource) error {
	g.job.phase("waiting for "+nameOf(source), 0, unitEntries)
	total, err := source.Total(ctx)
	if err != nil {
		return err
	}
	g.job.phase("reading "+nameOf(source), total, unitEntries)
	return source.Values(ctx, func(page []record.DateValue) error {
		for _, c := range page {
			if err := g.value(g.job.places.of[i][c.Place], c); err != nil {
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

func (g *collector) add(e entry) error {
	g.buffer = e.append(g.buffer[:0])
	return g.sorter.add(g.buffer)
}

func (g *collector) document(doc record.Document) error {
	if doc.User == 0 {
		return g.add(entry{group: uint16(doc.Collection), id: doc.ID})
	}
	from, _ := g.job.places.in(uint16(doc.Collection))
	e := entry{user: doc.User, group: uint16(doc.Collection), id: doc.ID}
	if doc.Numeric {
		e.flags |= numeric
	}
	if doc.Collection == record.APIKeysCollection && doc.Held.APIKey == "" && doc.Held.Malformed == nil {
		e.flags |= keyless
		if g.keyless == "" {
			g.keyless = doc.ID
		}
		g.job.keyless = g.job.keyless || g.keyless != doc.ID
	}
	bounds := g.job.bounds(doc.User)
	for i, p := range record.PlacesIn(doc.Collection) {
		if v, ok := doc.Held.Times[p.Field]; ok {
			e.dates = append(e.dates, g.find(uint16(from+i), v, bounds))
		}
	}
	if doc.Collection == record.MonitoringCollection {
		e.canonical, _ = doc.Held.Times[record.TimeField(record.MonitoringSince)].(int64)
	}
	return g.add(e)
}

func (g *collector) value(place uint16, c record.DateValue) error {
	if c.User == 0 {
		return g.add(entry{group: g.job.places.group(place), id: c.Name})
	}
	e := entry{user: c.User, group: g.job.places.group(place)}
	switch {
	case c.Reason != "":
		e.dates = []foundDate{{place: place, defect: g.defect(c.Reason, c.Detail)}}
	case c.Has:
		e.dates = []foundDate{g.find(place, c.Value, g.job.bounds(c.User))}
	}
	return g.add(e)
}

func (g *collector) find(place uint16, v any, bounds record.Bounds) foundDate {
	m, reason, detail := record.Timestamp(record.MonitoringSince, v, bounds)
	if reason != "" {
		return foundDate{place: place, defect: g.defect(reason, detail)}
	}
	return foundDate{place: place, date: m.Time}
}

// mostDefects bounds the different details that are kept apart; further ones lose theirs.
const mostDefects = 1000

// defect returns the index of a defect, from 1.
func (g *collector) defect(reason record.Reason, detail string) uint16 {
	f := defect{reason, detail}
	if i, ok := g.known[f]; ok {
		return i
	}
	if len(g.defects) >= mostDefects && detail != "" {
		return g.defect(reason, "")
	}
	g.defects = append(g.defects, f)
	i := uint16(len(g.defects))
	g.known[f] = i
	return i
}
