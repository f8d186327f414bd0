package rdb

import (
	"context"

	"github.com/lanyardctl/lanyardctl/record"
)

// pageBytes is the size of values at which a page ends.
const pageBytes = 4 << 20

// pager makes pages of items.
type pager struct {
	ctx      context.Context
	yield    func(record.Page) error
	pageSize int
	page     record.Page
	keys     int   // in the page
	size     int64 // of the page's values, in bytes
	before   string
}

// add adds what one key completed, and yields pages that are full. The position is behind the key.
func (p *pager) add(items []record.Item, size int64, at position) error {
	// The items of one key cannot be told apart by a position, so they are pieces of one page.
	for len(p.page.Items)+len(items) > p.pageSize && len(items) > 1 {
		n := min(p.pageSize, len(items)-1)
		if err := p.send(record.Page{Items: items[:n:n], Next: p.before}); err != nil {
			return err
		}
		items = items[n:]
	}
	p.page.Items = append(p.page.Items, items...)
	p.page.Next = at.String()
	p.keys++
	p.size += size
	if p.keys >= p.pageSize || len(p.page.Items) >= p.pageSize || p.size >= pageBytes {
		return p.flush()
	}
	return nil
}

// flush yields the page that is in the making.
func (p *pager) flush() error {
	page := p.page
	p.page, p.keys, p.size, p.before = record.Page{Next: page.Next}, 0, 0, page.Next
	return p.send(page)
}

func (p *pager) send(page record.Page) error {
	if p.ctx.Err() != nil {
		return context.Cause(p.ctx)
	}
	return p.yield(page)
}
