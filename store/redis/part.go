package redis

import (
	"context"
	"fmt"
	"strings"

	goredis "github.com/redis/go-redis/v9"

	"github.com/lanyardctl/lanyardctl/record"
	"github.com/lanyardctl/lanyardctl/store/layout"
)

// part is one master's share of the keys.
type part struct {
	source *source
	node   *node
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
	if err := p.node.recall(at.held); err != nil {
		return fmt.Errorf("scan redis %s: %w", p.node.addr, err)
	}
	held := p.node.held()
	if err := p.source.store.unchanged(ctx, p.node); err != nil {
		return err
	}
	if at.claims {
		if err := p.collectClaims(ctx); err != nil {
			return err
		}
	}
	scanned := int64(0)
	for !at.end {
		keys, cursor, err := p.scan(ctx, at.cursor, "")
		if err != nil {
			return err
		}
		scanned += int64(len(keys))
		next := position{cursor: cursor, end: cursor == 0, claims: at.claims, held: held}
		if next.end && from == "" {
			p.node.sampled(scanned) // that a scan names fewer keys than there were says the same
		}
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
	if p.source.askTTL || !p.source.store.info.Expires { // else nobody knows which keys last
		p.node.witness(keys, r.probes)
	}
	if err := p.source.store.countGone(ctx, "scan redis "+p.node.addr, keys, r.probes); err != nil {
		return err
	}
	// The last page goes out only once it is certain that none is missing.
	if next.end {
		if err := p.source.store.unchanged(ctx, p.node); err != nil {
			return err
		}
	}
	return yield(record.Page{Items: r.items, Seen: r.seen, Next: next.String()})
}

// scan returns a page of keys, those that match where match is not empty, and the next cursor, zero at the end. Each time
// it looks how many keys there are: a scan returns every key that is there at each of its steps.
func (p *part) scan(ctx context.Context, cursor uint64, match string) (keys []string, next uint64, err error) {
	var keyspace *goredis.StringCmd
	store := p.source.store
	err = store.persist(ctx, "scan redis "+p.node.addr, func(ctx context.Context) error {
		pipe := p.node.client.Pipeline()
		scan := pipe.Scan(ctx, cursor, match, int64(p.source.pageSize))
		keyspace = pipe.Info(ctx, "keyspace")
		_, err := pipe.Exec(ctx)
		keys, next = scan.Val()
		return err
	})
	if err != nil {
		return nil, 0, err
	}
	held, expires := parseFacts(keyspace.Val()).keyspace(store.info.DB)
	if !strings.Contains(keyspace.Val(), "# Keyspace") {
		return keys, next, nil // not every server tells
	}
	if few := p.node.sampled(held - expires); few && !store.allowShrinking {
		err = store.unchanged(ctx, p.node)
	}
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
