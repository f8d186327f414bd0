package redis

import (
	"cmp"
	"context"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/lanyardctl/lanyardctl/record"
	"github.com/lanyardctl/lanyardctl/store/layout"
)

// SourceOptions says what to read and how.
type SourceOptions struct {
	layout.Request

	// Points lets the source read the keys that the request names one by one, in place of a scan. See [Store.Points] for
	// what that does not find.
	Points bool

	// Candidates are API keys that a reading of points looks at beside the users' current ones, such as those that a target
	// has of them.
	Candidates map[record.UserID][]string

	// IgnoreTTL leaves out whether keys have a time to live: no item is noted as [record.Expiring].
	IgnoreTTL bool

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
	src := s.source(o)
	if o.Points {
		users, others, _ := o.Named()
		src.take(allSlots) // their keys are not found by a scan
		return &pointSource{source: src, users: distinct(users), others: others}
	}
	return src
}

func (s *Store) source(o SourceOptions) *source {
	candidates := make(map[record.UserID][]string, len(o.Candidates))
	add := func(named map[record.UserID][]string) {
		for user, keys := range named {
			for _, key := range keys {
				candidates[user] = append(candidates[user], layout.APIKey.Key(key))
			}
		}
	}
	add(o.Candidates)
	if o.Selection != nil {
		add(o.Selection.APIKeys)
	}
	return &source{
		candidates: candidates,
		store:      s,
		nodes:      s.current(),
		wanted:     layout.NewWanted(o.Request),
		pageSize:   s.pace.page(cmp.Or(max(o.PageSize, 0), DefaultPageSize)),
		budget:     cmp.Or(max(o.Budget, 0), DefaultBudget),
		askTTL:     s.info.Expires && !o.Dates && !o.IgnoreTTL,
	}
}

// source is what the parts of one reading share.
type source struct {
	store            *Store
	nodes            []*node // when the reading began
	wanted           layout.Wanted
	pageSize, budget int
	askTTL           bool
	undecided        undecided

	spares sync.Pool // readings of pages that were delivered

	// groups is how many groups of siblings were looked at, and grown how many of them had some that exist.
	groups, grown atomic.Int64

	candidates map[record.UserID][]string // whole Redis keys of API keys that points look at beside

	reading sync.Mutex // guards read
	read    slotSet    // whose keys were all named, if they were there all the time
}

// Parts returns a part for each master.
func (s *source) Parts(ctx context.Context) ([]record.Part, error) {
	if err := s.store.findAllWitnesses(ctx); err != nil {
		return nil, err
	}
	parts := make([]record.Part, 0, len(s.nodes))
	for _, n := range s.nodes {
		parts = append(parts, &part{source: s, node: n})
	}
	return parts, nil
}

// Total returns the number of keys that the masters hold now.
func (s *source) Total(ctx context.Context) (int64, error) {
	var total int64
	for _, n := range s.store.current() {
		err := s.store.persist(ctx, "count keys of redis "+n.addr, func(ctx context.Context) error {
			f, err := askFacts(ctx, n.client)
			total += f.state(s.store.info.DB).keys
			return err
		})
		if err != nil {
			return 0, err
		}
	}
	return total, nil
}

// Identity names the processes and the history of their data, the database and the layout of slots.
func (s *source) Identity() string {
	var b strings.Builder
	fmt.Fprintf(&b, "redis %s db%d", s.store.info.Mode, s.store.info.DB)
	for _, n := range s.nodes {
		is := n.first
		fmt.Fprintf(&b, " %s=%s emptied=%d,%d,%d of=%s,%s", n.addr, is.runID, is.flushAll, is.flushDB, is.swapDB, is.history, is.before)
		if !s.store.single {
			b.WriteString(" slots=" + n.share.String())
		}
	}
	return b.String()
}
