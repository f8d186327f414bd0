package redis

import (
	"context"
	"fmt"

	"github.com/lanyardctl/lanyardctl/record"
	"github.com/lanyardctl/lanyardctl/store/layout"
)

// part is one master's share of the keys.
type part struct {
	source *source
	node   node
}

// Name returns the master's address.
func (p *part) Name() string { return p.node.addr }

// Read scans the part from a position to its end. A page of SCAN's answer whose values are large is delivered as several
// pages; all but its last carry the position before it, and the last alone counts its keys.
func (p *part) Read(ctx context.Context, from string, yield func(record.Page) error) error {
	at, err := parsePosition(from)
	if err != nil {
		return fmt.Errorf("scan redis %s: %w", p.node.addr, err)
	}
	if err := p.source.store.unchanged(ctx, p.node); err != nil {
		return err
	}
	if at.claims {
		if err := p.collectClaims(ctx); err != nil {
			return err
		}
	}
	for !at.end {
		keys, cursor, err := p.scan(ctx, at.cursor, "")
		if err != nil {
			return err
		}
		next := position{cursor: cursor, end: cursor == 0, claims: at.claims}
		if err := p.deliver(ctx, keys, at, &next, yield); err != nil {
			return err
		}
		at = next
	}
	return nil
}

func (p *part) deliver(
	ctx context.Context, keys []string, before position, next *position, yield func(record.Page) error,
) error {
	r := newReading(p.source)
	page := record.Page{Next: before.String()}
	held, err := r.page(ctx, keys, func(items []record.Item) error {
		page.Items = items
		return yield(page)
	})
	if err != nil {
		return err
	}
	next.claims = next.claims || held
	// The last page goes out only once it is certain that none is missing.
	if next.end {
		if err := p.source.store.unchanged(ctx, p.node); err != nil {
			return err
		}
	}
	return yield(record.Page{Items: r.items, Seen: r.seen, Next: next.String()})
}

// scan returns a page of keys, those that match where match is not empty, and the next cursor, zero at the end.
func (p *part) scan(ctx context.Context, cursor uint64, match string) (keys []string, next uint64, err error) {
	err = p.source.store.retry(ctx, "scan redis "+p.node.addr, func() error {
		keys, next, err = p.node.client.Scan(ctx, cursor, match, int64(p.source.pageSize)).Result()
		return err
	})
	return keys, next, err
}

// collectClaims holds again what an earlier reading of this part had held, wherever that stood.
func (p *part) collectClaims(ctx context.Context) error {
	for cursor := uint64(0); ; {
		keys, next, err := p.scan(ctx, cursor, "*"+layout.APIKey.Key("*"))
		if err != nil {
			return err
		}
		if _, err := newReading(p.source).claimsOnly(ctx, keys); err != nil {
			return err
		}
		if next == 0 {
			return nil
		}
		cursor = next
	}
}
