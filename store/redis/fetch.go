package redis

import (
	"context"

	goredis "github.com/redis/go-redis/v9"

	"github.com/lanyardctl/lanyardctl/store/layout"
)

const (
	// firstBytes is how much of a string is fetched before its length is known.
	firstBytes = 1 << 10

	// samples is up to how many fields MEMORY USAGE measures each; it guesses the size of a hash with more.
	samples = 1000

	// guessedField is what a field counts where the server does not tell sizes.
	guessedField = 256 << 10

	// walkBytes is about how much of a large hash is fetched at a time.
	walkBytes = 4 << 20
)

// probe is a key that is looked at. What is known of it grows in steps: a first look at all keys of a page, a second at
// those that need one, and loading.
type probe struct {
	layout.Found
	field  string // of a hash, what is asked for; empty for all
	size   int64  // bytes that loading fetches, about
	loaded bool
	seen   bool // it was looked at
}

// probes are the keys that a page needs, each once.
type probes map[string]*probe

// want returns the probe of a key and adds it where it is new.
func (ps probes) want(l layout.Layout, key string) *probe {
	p, ok := ps[key]
	if !ok {
		p = &probe{Found: layout.Found{Key: key, Layout: l}}
		ps[key] = p
	}
	return p
}

// lookups look at keys of a store: by pipelines that are tried again, over any connection, or by those of a transaction.
type lookups struct {
	*Store
	pipeline func(ctx context.Context, what string, fill func(context.Context, goredis.Pipeliner)) error
}

func (s *Store) lookups() lookups { return lookups{s, s.pipeline} }

// read returns what the keys hold. Their layouts are those of their prefixes.
func (s lookups) read(ctx context.Context, keys ...string) ([]layout.Found, error) {
	list := make([]*probe, len(keys))
	for i, key := range keys {
		l, _ := layout.Classify(key)
		list[i] = &probe{Found: layout.Found{Key: key, Layout: l}}
	}
	if err := s.probe(ctx, list, false); err != nil {
		return nil, err
	}
	if err := s.load(ctx, list, DefaultBudget); err != nil {
		return nil, err
	}
	founds := make([]layout.Found, len(list))
	for i, p := range list {
		founds[i] = p.Found
	}
	return founds, nil
}

// firstLook is what is asked about each key.
type firstLook struct {
	p     *probe
	text  *goredis.StringCmd
	bytes *goredis.IntCmd
	count *goredis.IntCmd
	field fieldLook
	ttl   *goredis.DurationCmd
}

// probe finds out, in one round trip, which of the keys exist and how large they are. Strings up to firstBytes are loaded
// by it. A second round trip follows for the few keys about which the first is not clear.
func (s lookups) probe(ctx context.Context, list []*probe, askTTL bool) error {
	for _, p := range list {
		p.seen = true
	}
	looks := make([]firstLook, len(list))
	err := s.pipeline(ctx, "look up keys in redis", func(ctx context.Context, pipe goredis.Pipeliner) {
		for i, p := range list {
			l := firstLook{p: p}
			switch {
			case !p.Layout.IsHash():
				l.text = pipe.GetRange(ctx, p.Key, 0, firstBytes-1)
			case p.field != "":
				l.field = askField(ctx, pipe, p)
			case s.noMemory.Load():
				l.count = pipe.HLen(ctx, p.Key)
			default:
				l.bytes = pipe.MemoryUsage(ctx, p.Key, samples)
			}
			if askTTL {
				l.ttl = pipe.PTTL(ctx, p.Key)
			}
			looks[i] = l
		}
	})
	if err != nil {
		return err
	}
	var unclear, refused []*probe
	for _, l := range looks {
		l.p.Expires = l.ttl != nil && l.ttl.Val() > 0
		switch l.take() {
		case isUnclear:
			unclear = append(unclear, l.p)
		case isRefusal:
			refused = append(refused, l.p)
		}
	}
	if len(refused) > 0 {
		s.noMemory.Store(true)
		return s.probe(ctx, list, askTTL)
	}
	return s.reprobe(ctx, unclear)
}

type clarity uint8

const (
	isClear clarity = iota
	isUnclear
	isRefusal
)

// take writes the answer into the probe.
func (l firstLook) take() clarity {
	p := l.p
	p.State, p.loaded, p.size = layout.Absent, false, 0
	switch {
	case l.text != nil:
		p.Text = l.text.Val()
		switch {
		case isWrongType(l.text.Err()):
			p.State = layout.WrongType
			return isUnclear
		case p.Text == "":
			return isUnclear
		case len(p.Text) == firstBytes:
			p.State = layout.Present
			return isUnclear
		}
		p.State, p.loaded = layout.Present, true
	case p.field != "":
		return l.field.take(p)
	case l.count != nil:
		if isWrongType(l.count.Err()) {
			p.State = layout.WrongType
			return isUnclear
		}
		p.size = l.count.Val() * guessedField
	default:
		if isRefused(l.bytes.Err()) {
			return isRefusal
		}
		p.size = l.bytes.Val()
	}
	if p.size > 0 {
		p.State = layout.Present
	}
	return isClear
}

// reprobe asks about strings that are empty or absent, strings longer than firstBytes, and keys of a wrong type.
func (s lookups) reprobe(ctx context.Context, list []*probe) error {
	if len(list) == 0 {
		return nil
	}
	var empty, rest []*probe
	for _, p := range list {
		if p.State == layout.Absent {
			empty = append(empty, p)
		} else {
			rest = append(rest, p)
		}
	}
	empty, err := s.dropAbsent(ctx, empty)
	if err != nil {
		return err
	}
	exists := make([]*goredis.IntCmd, len(empty))
	lengths := make([]*goredis.IntCmd, len(rest))
	err = s.pipeline(ctx, "look up keys in redis", func(ctx context.Context, pipe goredis.Pipeliner) {
		for i, p := range empty {
			exists[i] = pipe.Exists(ctx, p.Key)
		}
		for i, p := range rest {
			if p.State == layout.Present {
				lengths[i] = pipe.StrLen(ctx, p.Key)
			}
		}
	})
	if err != nil {
		return err
	}
	var wrong []*probe
	for i, p := range empty {
		if exists[i].Val() == 1 {
			p.State, p.loaded = layout.Present, true
		}
	}
	for i, p := range rest {
		if p.State == layout.WrongType {
			wrong = append(wrong, p)
			continue
		}
		p.size = lengths[i].Val()
		switch {
		case p.size > layout.MaxValue:
			p.State, p.Text, p.Type, p.Size = layout.TooLarge, "", "string", p.size
			p.loaded = true
		case p.size <= firstBytes:
			p.loaded = true
		}
	}
	return s.describe(ctx, wrong)
}

// dropAbsent returns the keys that may exist. Nearly always none does, which one command tells where one server has all
// keys.
func (s lookups) dropAbsent(ctx context.Context, list []*probe) ([]*probe, error) {
	if !s.single || len(list) == 0 {
		return list, nil
	}
	keys := make([]string, len(list))
	for i, p := range list {
		keys[i] = p.Key
	}
	if found, err := s.countExisting(ctx, keys); err != nil || found > 0 {
		return list, err
	}
	return nil, nil
}

// countExisting returns how many of the keys exist, where one server has all keys.
func (s lookups) countExisting(ctx context.Context, keys []string) (n int64, err error) {
	var found *goredis.IntCmd
	err = s.pipeline(ctx, "look up keys in redis", func(ctx context.Context, pipe goredis.Pipeliner) {
		found = pipe.Exists(ctx, keys...)
	})
	if err != nil {
		return 0, err
	}
	return found.Val(), nil
}

// describe asks for type and size of keys of a wrong type, which are not loaded.
func (s lookups) describe(ctx context.Context, list []*probe) error {
	types := make([]*goredis.StatusCmd, len(list))
	sizes := make([]*goredis.IntCmd, len(list))
	err := s.pipeline(ctx, "look up keys in redis", func(ctx context.Context, pipe goredis.Pipeliner) {
		for i, p := range list {
			types[i] = pipe.Type(ctx, p.Key)
			if !s.noMemory.Load() {
				sizes[i] = pipe.MemoryUsage(ctx, p.Key)
			}
		}
	})
	if err != nil {
		return err
	}
	for i, p := range list {
		p.State, p.Type, p.loaded, p.size = layout.WrongType, types[i].Val(), true, 0
		if sizes[i] != nil {
			p.Size = sizes[i].Val()
		}
		if p.Type == "none" {
			p.State = layout.Absent
		}
	}
	return nil
}

// load fetches the values of the keys, whose sizes together the caller has kept within its budget. A hash that is larger
// than the budget by itself is walked.
func (s lookups) load(ctx context.Context, list []*probe, budget int) error {
	var whole, large []*probe
	for _, p := range list {
		switch {
		case p.loaded || p.State != layout.Present:
		case p.Layout.IsHash() && p.field == "" && p.size > int64(budget):
			large = append(large, p)
		default:
			whole = append(whole, p)
		}
	}
	if err := s.loadWhole(ctx, whole); err != nil {
		return err
	}
	for _, p := range large {
		if err := s.walk(ctx, p); err != nil {
			return err
		}
	}
	return nil
}

func (s lookups) loadWhole(ctx context.Context, list []*probe) error {
	if len(list) == 0 {
		return nil
	}
	hashes := make([]*goredis.MapStringStringCmd, len(list))
	texts := make([]*goredis.StringCmd, len(list))
	err := s.pipeline(ctx, "read values from redis", func(ctx context.Context, pipe goredis.Pipeliner) {
		for i, p := range list {
			switch {
			case !p.Layout.IsHash():
				texts[i] = pipe.GetRange(ctx, p.Key, 0, layout.MaxValue-1)
			case p.field != "":
				texts[i] = pipe.HGet(ctx, p.Key, p.field)
			default:
				hashes[i] = pipe.HGetAll(ctx, p.Key)
			}
		}
	})
	if err != nil {
		return err
	}
	var wrong []*probe
	for i, p := range list {
		p.loaded = true
		if texts[i] != nil {
			p.takeText(texts[i])
			if isWrongType(texts[i].Err()) {
				wrong = append(wrong, p)
			}
			continue
		}
		p.Hash = hashes[i].Val()
		switch {
		case isWrongType(hashes[i].Err()):
			wrong = append(wrong, p)
		case len(p.Hash) == 0:
			p.State = layout.Absent // removed meanwhile
		case sizeOf(p.Hash) > layout.MaxValue:
			s.giveUp(p, sizeOf(p.Hash))
		}
	}
	return s.describe(ctx, wrong)
}

// giveUp drops a hash that is too large; of its values, bytes were fetched.
func (s lookups) giveUp(p *probe, bytes int64) {
	size := p.size
	if s.noMemory.Load() {
		size = 0 // only guessed
	}
	p.State, p.Hash, p.Type, p.Size, p.loaded = layout.TooLarge, nil, "hash", max(size, bytes), true
}

func sizeOf(hash map[string]string) int64 {
	var n int64
	for name, value := range hash {
		n += int64(len(name) + len(value))
	}
	return n
}

// walk loads a large hash piece by piece and stops where it turns out larger than layout.MaxValue.
func (s lookups) walk(ctx context.Context, p *probe) error {
	const what = "read a large hash from redis"
	// In a Cluster, go-redis asks COMMAND before each command outside a pipeline, for which a user needs a right.
	var fields *goredis.IntCmd
	err := s.pipeline(ctx, what, func(ctx context.Context, pipe goredis.Pipeliner) {
		fields = pipe.HLen(ctx, p.Key)
	})
	if err != nil {
		return err
	}
	if isWrongType(fields.Err()) {
		return s.describe(ctx, []*probe{p})
	}
	step := min(max(fields.Val()*walkBytes/max(p.size, 1), 1), 10_000)
	p.Hash = make(map[string]string)
	var bytes int64
	for cursor := uint64(0); ; {
		var page *goredis.ScanCmd
		err := s.pipeline(ctx, what, func(ctx context.Context, pipe goredis.Pipeliner) {
			page = pipe.HScan(ctx, p.Key, cursor, "", step)
		})
		if err != nil {
			return err
		}
		if isWrongType(page.Err()) {
			return s.describe(ctx, []*probe{p})
		}
		flat, next := page.Val()
		cursor = next
		for i := 0; i+1 < len(flat); i += 2 {
			// A field may come twice.
			if _, again := p.Hash[flat[i]]; !again {
				p.Hash[flat[i]] = flat[i+1]
				bytes += int64(len(flat[i]) + len(flat[i+1]))
			}
		}
		if bytes > layout.MaxValue {
			s.giveUp(p, bytes)
			return nil
		}
		if cursor == 0 {
			break
		}
	}
	p.loaded = true
	if len(p.Hash) == 0 {
		p.State = layout.Absent
	}
	return nil
}
