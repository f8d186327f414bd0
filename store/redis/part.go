package redis

import (
	"context"
	"errors"
	"fmt"

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
// pages; all but its last carry the position before it, and the last alone counts its keys. Where another server takes over
// meanwhile, Read ends early: [source.Deferred] reads what is left then.
func (p *part) Read(ctx context.Context, from string, yield func(record.Page) error) error {
	at, err := parsePosition(from)
	if err != nil {
		return fmt.Errorf("scan redis %s: %w", p.node.addr, err)
	}
	if err := p.node.recall(at.held); err != nil {
		return fmt.Errorf("scan redis %s: %w", p.node.addr, err)
	}
	held := p.node.held()
	kept, err := p.source.store.look(ctx, p.node)
	switch {
	case err != nil:
		return err
	case p.node.left.Load():
		return nil // it is not what the positions are of
	}
	if at.claims {
		err = p.collectClaims(ctx)
	}
	switch {
	case err != nil:
	case at.end:
		p.source.take(kept)
	default:
		err = p.source.scanNode(ctx, scanning{node: p.node, at: at, held: held, whole: from == ""}, yield)
	}
	if errors.Is(err, errLeft) {
		return p.source.store.replace(ctx, p.node)
	}
	return err
}

// collectClaims holds again what an earlier reading of this part had held, wherever that stood.
func (p *part) collectClaims(ctx context.Context) error {
	for cursor := uint64(0); ; {
		keys, next, err := p.source.scan(ctx, p.node, cursor, "*"+layout.APIKey.Key("*"))
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
