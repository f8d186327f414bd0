package redis

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"math"
	"slices"
	"sync"
	"time"

	goredis "github.com/redis/go-redis/v9"
	"golang.org/x/sync/errgroup"

	"github.com/lanyardctl/lanyardctl/record"
	"github.com/lanyardctl/lanyardctl/store/layout"
)

const (
	surveyPage    = 5000 // keys that SCAN is asked for at a time
	surveyLookers = 2    // of a server, that look at pages side by side

	longestUserID = 20      // digits
	longestAPIKey = 4 << 10 // bytes; what is longer is none
)

// nodeSurvey is what the keys of one server show.
type nodeSurvey struct {
	store   *Store
	node    *node
	keys    int64    // in the database
	expires bool     // some of them
	strays  *userSet // users with a stray API key, of all servers

	mu      sync.Mutex
	scanned int64
	whole   bool // the scan came to its end
	counts  map[layout.Layout]int64
	faults  map[faultOf]*record.Fault
	blurred int64 // users whose layouts cannot be compared
}

type faultOf struct {
	code  record.FaultCode
	place layout.Layout
}

func newNodeSurvey(s *Store, n *node, f facts, strays *userSet) *nodeSurvey {
	keys, expires := f.keyspace(s.info.DB)
	return &nodeSurvey{
		store: s, node: n, keys: keys, expires: expires > 0, strays: strays,
		counts: make(map[layout.Layout]int64), faults: make(map[faultOf]*record.Fault),
	}
}

// surveyKeys looks at the keys of the servers: at all, or at as many as it comes to within the time, where that is not zero.
func surveyKeys(ctx context.Context, nodes []*nodeSurvey, within time.Duration) error {
	begun := time.Now()
	over := func() bool { return within > 0 && time.Since(begun) >= within }
	all, ctx := errgroup.WithContext(ctx)
	for _, n := range nodes {
		pages := make(chan []string)
		all.Go(func() error {
			defer close(pages)
			return n.scan(ctx, pages, over)
		})
		for range surveyLookers {
			all.Go(func() error {
				for keys := range pages {
					if err := n.look(ctx, keys); err != nil {
						return err
					}
				}
				return nil
			})
		}
	}
	return all.Wait()
}

// scan sends the server's keys to pages until the time is over. It sends one page at least.
func (n *nodeSurvey) scan(ctx context.Context, pages chan<- []string, over func() bool) error {
	for cursor := uint64(0); ; {
		var keys []string
		var next uint64
		err := n.store.persist(ctx, "scan redis "+n.node.addr, func(ctx context.Context) (err error) {
			keys, next, err = n.node.client.Scan(ctx, cursor, "", surveyPage).Result()
			return err
		})
		if err != nil {
			return err
		}
		cursor = next
		select {
		case pages <- keys:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
		switch {
		case cursor == 0:
			n.mu.Lock()
			defer n.mu.Unlock()
			n.whole = true
			return nil
		case over():
			return nil
		}
	}
}

// keyLook is what is asked about a key of Lanyard's, and about what belongs to it.
type keyLook struct {
	key    string
	layout layout.Layout
	user   record.UserID // whose the key is; of api_key: whom it names

	text   *goredis.StringCmd
	fields *goredis.IntCmd
	other  *goredis.IntCmd // whether upstream's user has pairs of the fork's, too
	ttl    *goredis.DurationCmd
	half   *goredis.StringCmd // the other half of an API key
}

func (l *keyLook) wrongType() bool {
	if l.fields != nil {
		return isWrongType(l.fields.Err())
	}
	return isWrongType(l.text.Err())
}

// look looks at a page of keys.
func (n *nodeSurvey) look(ctx context.Context, keys []string) error {
	slices.Sort(keys)
	looks := lookable(slices.Compact(keys))
	err := n.store.pipeline(ctx, "look up keys in redis", func(ctx context.Context, pipe goredis.Pipeliner) {
		for i := range looks {
			looks[i].ask(ctx, pipe, n.expires)
		}
	})
	if err != nil {
		return err
	}
	if err := n.askHalves(ctx, looks); err != nil {
		return err
	}
	n.mu.Lock()
	n.scanned += int64(len(keys))
	var both []record.UserID
	for i := range looks {
		l := &looks[i]
		n.take(l)
		if l.other != nil && l.other.Val() > 0 && !l.wrongType() {
			both = append(both, l.user)
		}
	}
	n.mu.Unlock()
	return n.compare(ctx, both)
}

// lookable returns the keys of Lanyard's, as far as their names tell.
func lookable(keys []string) []keyLook {
	looks := make([]keyLook, 0, len(keys))
	for _, key := range keys {
		l, id := layout.Classify(key)
		if _, known := l.Kind(); !known {
			continue
		}
		user, valid := record.ParseUserID(id)
		if l.HasUser() && !valid {
			continue
		}
		look := keyLook{key: key, layout: l}
		if l.HasUser() {
			look.user = user
		}
		looks = append(looks, look)
	}
	return looks
}

func (l *keyLook) ask(ctx context.Context, pipe goredis.Pipeliner, expires bool) {
	switch {
	case l.layout.IsHash():
		l.fields = pipe.HLen(ctx, l.key)
	case l.layout == layout.APIKey:
		l.text = pipe.GetRange(ctx, l.key, 0, longestUserID)
	case l.layout == layout.UserAPIKey:
		l.text = pipe.GetRange(ctx, l.key, 0, longestAPIKey)
	default:
		l.text = pipe.GetRange(ctx, l.key, 0, 0)
	}
	if l.layout == layout.UpstreamKV {
		l.other = pipe.Exists(ctx, keyOf(layout.ForkKV, l.user))
	}
	if expires {
		l.ttl = pipe.PTTL(ctx, l.key)
	}
}

// askHalves asks for the other halves of API keys.
func (n *nodeSurvey) askHalves(ctx context.Context, looks []keyLook) error {
	return n.store.pipeline(ctx, "look up keys in redis", func(ctx context.Context, pipe goredis.Pipeliner) {
		for i := range looks {
			l := &looks[i]
			switch {
			case l.layout == layout.APIKey:
				f := layout.Found{Key: l.key, Layout: l.layout, State: layout.Present, Text: l.text.Val()}
				var ok bool
				if l.user, ok = f.Owner(); ok {
					l.half = pipe.GetRange(ctx, keyOf(layout.UserAPIKey, l.user), 0, longestAPIKey)
				}
			case l.layout == layout.UserAPIKey && l.text.Val() != "":
				l.half = pipe.GetRange(ctx, layout.APIKey.Key(l.text.Val()), 0, longestUserID)
			}
		}
	})
}

// take counts the key and its faults. The caller holds n.mu.
func (n *nodeSurvey) take(l *keyLook) {
	switch {
	case l.layout == layout.APIKey && l.user == 0, l.wrongType() && l.layout.Generic():
		return // another application's
	case l.wrongType():
		n.fault(record.WrongTypes, l.layout, l.user)
		return
	case l.layout == layout.Counters:
		n.counts[l.layout] += l.fields.Val()
	default:
		n.counts[l.layout]++
	}
	if l.ttl != nil && l.ttl.Val() > 0 {
		n.fault(record.Expires, l.layout, l.user)
	}
	switch _, secret := layout.Classify(l.key); {
	case l.layout == layout.UserAPIKey && (l.half == nil || l.half.Val() != l.user.String()):
		n.fault(record.HalfAPIKey, l.layout, l.user)
	case l.layout == layout.APIKey && l.half.Val() != secret && n.strays.add(l.user):
		n.fault(record.StrayAPIKey, l.layout, l.user)
	}
}

// fault counts a fault. The caller holds n.mu.
func (n *nodeSurvey) fault(code record.FaultCode, l layout.Layout, user record.UserID) {
	f := n.faults[faultOf{code, l}]
	if f == nil {
		f = &record.Fault{Code: code, Place: l.Key("")}
		n.faults[faultOf{code, l}] = f
	}
	f.Count++
	if user != 0 && len(f.Users) < record.MostNamed {
		f.Users = append(f.Users, user.String())
	}
}

// compare compares the pairs of users who have both layouts.
func (n *nodeSurvey) compare(ctx context.Context, users []record.UserID) error {
	look := n.store.lookups()
	pairs := make([]*probe, 0, 2*len(users))
	for _, user := range users {
		for _, l := range layout.OfKind(record.KV) {
			pairs = append(pairs, &probe{Found: layout.Found{Key: keyOf(l, user), Layout: l}})
		}
	}
	if len(pairs) == 0 {
		return nil
	}
	if err := look.probe(ctx, pairs, false); err != nil {
		return err
	}
	for len(pairs) > 0 {
		size, next := int64(0), 0
		for next < len(pairs) && (next == 0 || size+pairs[next].size+pairs[next+1].size <= DefaultBudget) {
			size += pairs[next].size + pairs[next+1].size
			next += 2
		}
		if err := look.load(ctx, pairs[:next], DefaultBudget); err != nil {
			return err
		}
		n.mu.Lock()
		for i := 0; i < next; i += 2 {
			n.takePair(pairs[i].Found, pairs[i+1].Found)
			pairs[i], pairs[i+1] = nil, nil // their values go
		}
		n.mu.Unlock()
		pairs = pairs[next:]
	}
	return nil
}

// takePair counts a user whose layouts differ. The caller holds n.mu.
func (n *nodeSurvey) takePair(fork, upstream layout.Found) {
	_, id := layout.Classify(fork.Key)
	user, _ := record.ParseUserID(id)
	ours, exists := fork.Entry()
	theirs, too := upstream.Entry()
	switch {
	case !exists || !too: // removed meanwhile
	case fork.State == layout.WrongType || upstream.State == layout.WrongType: // which is told by itself
	case ours.Fault != "" || theirs.Fault != "" || len(ours.Unreadable)+len(theirs.Unreadable) > 0:
		n.blurred++
	case differ(ours.Fields, theirs.Fields):
		n.fault(record.LayoutsDiffer, fork.Layout, user)
	}
}

// differ reports whether the pairs of the fork's layout and of upstream's are not the same. Upstream's has texts alone.
func differ(fork, upstream map[string]record.Value) bool {
	for name, ours := range fork {
		theirs, exists := upstream[name]
		if _, text := ours.(string); !exists && !text {
			continue
		}
		if !exists || !record.Equal(ours, theirs) {
			return true
		}
	}
	for name := range upstream {
		if _, exists := fork[name]; !exists {
			return true
		}
	}
	return false
}

// sum adds what the keys of all servers show, to what was surveyed. What a scan did not reach is estimated.
func sum(nodes []*nodeSurvey, to *record.Survey) {
	counts := make(map[layout.Layout]float64)
	faults := make(map[faultOf]*record.Fault)
	shares := make(map[faultOf]float64)
	var scanned, keys, blurred int64
	estimated := false
	for _, n := range nodes {
		factor := 1.0
		if !n.whole {
			estimated = true
			factor = max(float64(n.keys)/float64(max(n.scanned, 1)), 1)
		}
		scanned, keys, blurred = scanned+n.scanned, keys+n.keys, blurred+n.blurred
		for l, count := range n.counts {
			if l == layout.Counters {
				counts[l] += float64(count) // of one key
			} else {
				counts[l] += float64(count) * factor
			}
		}
		for of, f := range n.faults {
			if faults[of] == nil {
				faults[of] = &record.Fault{Code: f.Code, Place: f.Place}
			}
			all := faults[of]
			all.Users = append(all.Users, f.Users[:min(len(f.Users), record.MostNamed-len(all.Users))]...)
			shares[of] += float64(f.Count) * factor
		}
	}
	for _, l := range slices.Sorted(maps.Keys(counts)) {
		kind, _ := l.Kind()
		to.Counts = append(to.Counts, record.PlaceCount{
			Place: l.Key(""), Kind: kind, Count: int64(math.Round(counts[l])), Estimated: estimated && l != layout.Counters,
		})
	}
	for of, f := range faults {
		f.Count, f.Estimated = int64(math.Round(shares[of])), estimated
	}
	order := func(a, b faultOf) int {
		return cmp.Or(cmp.Compare(a.code, b.code), cmp.Compare(a.place, b.place))
	}
	for _, of := range slices.SortedFunc(maps.Keys(faults), order) {
		to.Faults = append(to.Faults, *faults[of])
	}
	if estimated {
		to.Unchecked = append(to.Unchecked, fmt.Sprintf("keys of Redis: %d of about %d were looked at", scanned, keys))
	}
	if blurred > 0 {
		to.Unchecked = append(to.Unchecked, fmt.Sprintf(
			"whether both key-value layouts are the same: %d users have values that cannot be read", blurred))
	}
}
