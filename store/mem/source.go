package mem

import (
	"context"
	"fmt"
	"slices"
	"strconv"

	"github.com/lanyardctl/lanyardctl/record"
)

// Source is a [record.Source] of items in memory, for tests and benchmarks.
type Source struct {
	// Items are the items of each part.
	Items [][]record.Item

	// Last are the items that only the sight of all parts decides.
	Last []record.Item

	// PageSize is the number of items of a page; 10 where zero.
	PageSize int

	// Pieces delivers each page in two.
	Pieces bool

	// ID is the source's identity.
	ID string
}

// Parts implements [record.Source].
func (s *Source) Parts(context.Context) ([]record.Part, error) {
	parts := make([]record.Part, len(s.Items))
	for i := range s.Items {
		parts[i] = part{name: "part " + strconv.Itoa(i), source: s, items: s.Items[i]}
	}
	return parts, nil
}

// Deferred implements [record.Source].
func (s *Source) Deferred(ctx context.Context, yield func(record.Page) error) error {
	return part{name: restName, source: s, items: s.Last}.Read(ctx, "", yield)
}

// Total implements [record.Source].
func (s *Source) Total(context.Context) (int64, error) {
	n := len(s.Last)
	for _, items := range s.Items {
		n += len(items)
	}
	return int64(n), nil
}

// Identity implements [record.Source].
func (s *Source) Identity() string { return s.ID }

// restName is the name of what follows the parts.
const restName = "rest"

type part struct {
	name   string
	source *Source
	items  []record.Item
}

// next returns the position behind the first n items. What follows the parts has no positions.
func (p part) next(n int) string {
	if p.name == restName {
		return ""
	}
	return strconv.Itoa(n)
}

// Name implements [record.Part].
func (p part) Name() string { return p.name }

// Read implements [record.Part]. A position is the number of items before it.
func (p part) Read(ctx context.Context, from string, yield func(record.Page) error) error {
	at := 0
	if from != "" {
		n, err := strconv.Atoi(from)
		if err != nil || n < 0 || n > len(p.items) {
			return fmt.Errorf("read %s: no position %q", p.name, from)
		}
		at = n
	}
	size := p.source.PageSize
	if size <= 0 {
		size = 10
	}
	for at < len(p.items) {
		if err := ctx.Err(); err != nil {
			return err
		}
		end := min(at+size, len(p.items))
		if p.source.Pieces {
			middle := at + (end-at)/2
			if err := yield(record.Page{Items: slices.Clone(p.items[at:middle]), Next: from}); err != nil {
				return err
			}
			at = middle
		}
		n := int64(end - at)
		from = p.next(end)
		if err := yield(record.Page{Items: slices.Clone(p.items[at:end]), Seen: record.KeyCounts{Keys: n, Lanyard: n}, Next: from}); err != nil {
			return err
		}
		at = end
	}
	return nil
}

// ReadUsers implements [record.PointReader].
func (s *Source) ReadUsers(
	ctx context.Context, kinds record.Kinds, users []record.UserID, yield func(record.Page) error,
) error {
	var of []record.Item
	for _, items := range append(slices.Clip(s.Items), s.Last) {
		for _, it := range items {
			if kinds.Has(it.Kind) && (it.Kind == record.Metrics || it.User() != 0 && slices.Contains(users, it.User())) {
				of = append(of, it)
			}
		}
	}
	return inPages(ctx, of, func(items []record.Item) error { return yield(record.Page{Items: items}) })
}
