package redis

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"
	"time"

	"github.com/lanyardctl/lanyardctl/record"
	"github.com/lanyardctl/lanyardctl/store/layout"
)

// SourceOptions says what to read and how.
type SourceOptions struct {
	Kinds record.Kinds // none means all

	// Users are the only ones to read; none means all. With users the counters, which are nobody's, are left out, and so
	// are keys with an invalid user id.
	Users []record.UserID

	// PreferUpstream lets upstream's key-value pair win where both layouts have the field; else the fork's wins.
	PreferUpstream bool

	Now time.Time // decides which times are plausible; zero means the time of the call

	PageSize int // keys that SCAN is asked for at a time; zero means 1000
	Budget   int // bytes of values fetched at a time; zero means 32 MiB
}

// The defaults of [SourceOptions].
const (
	DefaultPageSize = 1000
	DefaultBudget   = 32 << 20
)

// Source returns the store as a source of records. Each source is read once.
func (s *Store) Source(o SourceOptions) record.Source {
	if o.Kinds == 0 {
		o.Kinds = record.AllKinds
	}
	if o.Now.IsZero() {
		o.Now = time.Now()
	}
	if o.PageSize <= 0 {
		o.PageSize = DefaultPageSize
	}
	if o.Budget <= 0 {
		o.Budget = DefaultBudget
	}
	src := &source{store: s, o: o, prefer: layout.ForkKV, askTTL: s.info.Expires}
	if o.PreferUpstream {
		src.prefer = layout.UpstreamKV
	}
	if len(o.Users) > 0 {
		src.users = make(map[record.UserID]bool, len(o.Users))
		for _, u := range o.Users {
			src.users[u] = true
		}
	}
	return src
}

// source is what the parts of one reading share.
type source struct {
	store  *Store
	o      SourceOptions
	users  map[record.UserID]bool // nil for all
	prefer layout.Layout
	askTTL bool
	claims claims
}

func (s *source) wants(kind record.Kind, user record.UserID) bool {
	return s.o.Kinds.Has(kind) && (s.users == nil || s.users[user])
}

// Parts returns a part for each master.
func (s *source) Parts(context.Context) ([]record.Part, error) {
	parts := make([]record.Part, 0, len(s.store.nodes))
	for _, n := range s.store.nodes {
		parts = append(parts, &part{source: s, node: n})
	}
	return parts, nil
}

// Total returns the number of keys that the masters hold now.
func (s *source) Total(ctx context.Context) (int64, error) {
	var total int64
	for _, n := range s.store.nodes {
		err := s.store.retry(ctx, "count keys of redis "+n.addr, func() error {
			keys, err := n.client.DBSize(ctx).Result()
			if err == nil {
				total += keys
			}
			return err
		})
		if err != nil {
			return 0, err
		}
	}
	return total, nil
}

// Identity names the processes, the database and the layout of slots.
func (s *source) Identity() string {
	var b strings.Builder
	fmt.Fprintf(&b, "redis %s db%d", s.store.info.Mode, s.store.info.DB)
	for _, n := range s.store.nodes {
		fmt.Fprintf(&b, " %s=%s", n.addr, n.runID)
	}
	if s.store.slots != "" {
		sum := sha256.Sum256([]byte(s.store.slots))
		b.WriteString(" slots=" + hex.EncodeToString(sum[:8]))
	}
	return b.String()
}
