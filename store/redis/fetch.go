package redis

import (
	"context"
	"strconv"
	"strings"

	"github.com/lanyardctl/lanyardctl/store/layout"
)

const (
	// firstBytes is how much of a string is fetched before its length is known.
	firstBytes = 1 << 10

	// lastOfFirst is the last of those, as Redis counts.
	lastOfFirst = "1023"

	// samples is up to how many fields MEMORY USAGE measures each; it guesses the size of a hash with more.
	samples = "1000"

	// guessedField is what a field counts where the server does not tell sizes.
	guessedField = 256 << 10

	// walkFrom is the size from which a value is fetched in pieces: a server in use should not be held up for it by one command.
	// The size of a hash with many fields is mostly what Redis needs to keep them, some 50 bytes a field.
	walkFrom = 128 << 10

	// walkBytes is about how much of such a value is fetched at a time.
	walkBytes = 128 << 10

	// walkFields bounds how many fields that are.
	walkFields = 500
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

// lookups look at keys of a store: by pipelines that are tried again, over any connection, or by those of a transaction.
type lookups struct {
	*Store
	ask func(ctx context.Context, what string, b *batch) error
}

func (s *Store) lookups() lookups {
	return lookups{s, func(ctx context.Context, what string, b *batch) error {
		return s.persist(ctx, what, func(ctx context.Context) error { return b.through(ctx, s.reads.Pipeline()) })
	}}
}

// manyLookups are lookups for whole pages.
func (s *Store) manyLookups() lookups {
	if s.wire == nil {
		return s.lookups()
	}
	return lookups{s, func(ctx context.Context, what string, b *batch) error {
		return s.persist(ctx, what, func(ctx context.Context) error { return s.wire.do(ctx, b) })
	}}
}

// read returns what the keys hold. Their layouts are those of their prefixes.
func (s lookups) read(ctx context.Context, keys ...string) ([]layout.Found, error) {
	list := probesOf(keys)
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

// probesOf returns a probe for each of the keys, whose layouts are those of their prefixes.
func probesOf(keys []string) []*probe {
	list := make([]*probe, len(keys))
	for i, key := range keys {
		l, _ := layout.Classify(key)
		list[i] = &probe{Found: layout.Found{Key: key, Layout: l}}
	}
	return list
}

// lookUp is what a batch of lookups is for, in words for people.
const lookUp = "look up keys in redis"

// probe finds out, in one round trip, which of the keys exist and how large they are. Strings up to firstBytes are loaded
// by it. A second round trip follows for the few keys about which the first is not clear.
func (s lookups) probe(ctx context.Context, list []*probe, askTTL bool) error {
	return s.probeWith(ctx, list, askTTL, nil, nil)
}

// probeWith is probe, with other commands in the first round trip: more adds them, and take takes their answers.
func (s lookups) probeWith(ctx context.Context, list []*probe, askTTL bool, more func(*batch), take func([]answer)) error {
	b := newBatch()
	noMemory := s.noMemory.Load()
	for _, p := range list {
		p.seen = true
		switch {
		case !p.Layout.IsHash():
			b.ask("getrange", p.Key, "0", lastOfFirst)
		case p.field != "":
			b.askField(p)
		case noMemory:
			b.ask("hlen", p.Key)
		default:
			b.ask("memory", "usage", p.Key, "SAMPLES", samples)
		}
		if askTTL {
			b.ask("pttl", p.Key)
		}
	}
	if more != nil {
		more(b)
	}
	if err := s.send(ctx, lookUp, b); err != nil {
		return err
	}
	var unclear []*probe
	answers, refused := b.answers, false
	for _, p := range list {
		var clear clarity
		if p.field != "" && p.Layout.IsHash() {
			clear, answers = p.takeField(answers), answers[fieldAnswers:]
		} else {
			clear, answers = p.take(&answers[0], noMemory), answers[1:]
		}
		if p.Expires = false; askTTL {
			p.Expires, answers = answers[0].n > 0, answers[1:]
		}
		switch clear {
		case isUnclear:
			unclear = append(unclear, p)
		case isRefusal:
			refused = true
		}
	}
	if refused {
		s.noMemory.Store(true)
		return s.probeWith(ctx, list, askTTL, more, take)
	}
	if take != nil {
		take(answers)
	}
	b.free()
	return s.reprobe(ctx, unclear)
}

// send sends the commands of a batch, if any.
func (s lookups) send(ctx context.Context, what string, b *batch) error {
	if len(b.starts) == 0 {
		return nil
	}
	return s.ask(ctx, what, b)
}

type clarity uint8

const (
	isClear clarity = iota
	isUnclear
	isRefusal
)

// take writes the first answer into the probe.
func (p *probe) take(a *answer, noMemory bool) clarity {
	p.State, p.loaded, p.size = layout.Absent, false, 0
	switch {
	case a.err != nil && isWrongType(a.err):
		p.State = layout.WrongType
		return isUnclear
	case !p.Layout.IsHash():
		p.Text = a.text
		if p.Text == "" {
			return isUnclear
		}
		p.State = layout.Present
		if len(p.Text) == firstBytes {
			return isUnclear
		}
		p.loaded = true
		return isClear
	case a.err != nil && isRefused(a.err):
		return isRefusal
	case noMemory:
		p.size = a.n * guessedField
	default:
		p.size = a.n
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
	var b batch
	for _, p := range empty {
		b.ask("exists", p.Key)
		b.ask("getrange", p.Key, "0", lastOfFirst) // it may have been made only after the first look
	}
	var wrong, long []*probe
	for _, p := range rest {
		if p.State == layout.WrongType {
			wrong = append(wrong, p)
			continue
		}
		long = append(long, p)
		b.ask("strlen", p.Key)
	}
	if err := s.send(ctx, lookUp, &b); err != nil {
		return err
	}
	var unclear []*probe
	answers := b.answers
	for _, p := range empty {
		exists, again := answers[0].n == 1, &answers[1]
		answers = answers[2:]
		switch {
		case p.take(again, false) == isClear:
		case p.State != layout.Absent:
			unclear = append(unclear, p)
		case exists:
			p.State, p.loaded = layout.Present, true
		}
	}
	for i, p := range long {
		p.size = answers[i].n
		switch {
		case p.size > layout.MaxValue:
			p.State, p.Text, p.Type, p.Size = layout.TooLarge, "", "string", p.size
			p.loaded = true
		case p.size <= firstBytes:
			p.loaded = true
		}
	}
	if err := s.describe(ctx, wrong); err != nil {
		return err
	}
	return s.reprobe(ctx, unclear)
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
	var b batch
	b.ask(append([]string{"exists"}, keys...)...)
	if err := s.ask(ctx, lookUp, &b); err != nil {
		return 0, err
	}
	return b.answers[0].n, nil
}

// describe asks for type and size of keys of a wrong type, which are not loaded.
func (s lookups) describe(ctx context.Context, list []*probe) error {
	var b batch
	each := 1
	for _, p := range list {
		b.ask("type", p.Key)
	}
	if !s.noMemory.Load() {
		each = 2
		for _, p := range list {
			b.ask("memory", "usage", p.Key)
		}
	}
	if err := s.send(ctx, lookUp, &b); err != nil {
		return err
	}
	for i, p := range list {
		p.State, p.Type, p.loaded, p.size = layout.WrongType, b.answers[i].text, true, 0
		if each == 2 {
			p.Size = b.answers[len(list)+i].n
		}
		if p.Type == "none" {
			p.State = layout.Absent
		}
	}
	return nil
}

// load fetches the values of the keys, whose sizes together the caller has kept within its budget. Large ones are fetched
// in pieces.
func (s lookups) load(ctx context.Context, list []*probe, budget int) error {
	var whole, large, texts []*probe
	most := min(walkFrom, budget)
	if s.noMemory.Load() {
		most = budget // sizes are guessed, and those of small hashes too high
	}
	for _, p := range list {
		switch {
		case p.loaded || p.State != layout.Present:
		case p.Layout.IsHash() && p.field == "" && p.size > int64(most):
			large = append(large, p)
		case !p.Layout.IsHash() && p.size > walkFrom:
			texts = append(texts, p)
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
	for _, p := range texts {
		if err := s.loadText(ctx, p); err != nil {
			return err
		}
	}
	return nil
}

// loadText loads a large text piece by piece. Of one that somebody changes meanwhile, the pieces may be of several texts; it
// is none that Lanyard writes.
func (s lookups) loadText(ctx context.Context, p *probe) error {
	var text strings.Builder
	text.Grow(int(p.size))
	for text.Len() < layout.MaxValue {
		var b batch
		b.ask("getrange", p.Key, strconv.Itoa(text.Len()), strconv.Itoa(text.Len()+walkBytes-1))
		if err := s.ask(ctx, "read a large text from redis", &b); err != nil {
			return err
		}
		a := &b.answers[0]
		if isWrongType(a.err) {
			return s.describe(ctx, []*probe{p})
		}
		text.WriteString(a.text)
		if len(a.text) < walkBytes {
			break
		}
	}
	p.Text, p.loaded = text.String(), true
	return nil
}

func (s lookups) loadWhole(ctx context.Context, list []*probe) error {
	if len(list) == 0 {
		return nil
	}
	b := newBatch()
	for _, p := range list {
		switch {
		case !p.Layout.IsHash():
			b.ask("getrange", p.Key, "0", strconv.Itoa(layout.MaxValue-1))
		case p.field != "":
			b.ask("hget", p.Key, p.field)
		default:
			b.ask("hgetall", p.Key)
		}
	}
	if err := s.ask(ctx, "read values from redis", b); err != nil {
		return err
	}
	var wrong []*probe
	for i, p := range list {
		a := &b.answers[i]
		p.loaded = true
		switch {
		case a.err != nil && isWrongType(a.err):
			wrong = append(wrong, p)
		case !p.Layout.IsHash() || p.field != "":
			p.takeText(a)
		case len(a.list) == 0:
			p.State = layout.Absent // removed meanwhile
		default:
			p.Hash = make(map[string]string, len(a.list)/2)
			for j := 0; j+1 < len(a.list); j += 2 {
				p.Hash[a.list[j]] = a.list[j+1]
			}
			if size := sizeOf(p.Hash); size > layout.MaxValue {
				s.giveUp(p, size)
			}
		}
	}
	b.free()
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
	var b batch
	b.ask("hlen", p.Key)
	if err := s.ask(ctx, what, &b); err != nil {
		return err
	}
	if isWrongType(b.answers[0].err) {
		return s.describe(ctx, []*probe{p})
	}
	step := strconv.FormatInt(min(max(b.answers[0].n*walkBytes/max(p.size, 1), 1), walkFields), 10)
	p.Hash = make(map[string]string)
	var bytes int64
	for cursor := "0"; ; {
		var b batch
		b.ask("hscan", p.Key, cursor, "COUNT", step)
		if err := s.ask(ctx, what, &b); err != nil {
			return err
		}
		if isWrongType(b.answers[0].err) {
			return s.describe(ctx, []*probe{p})
		}
		flat := b.answers[0].list
		cursor = b.answers[0].text
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
		if cursor == "0" {
			break
		}
	}
	p.loaded = true
	if len(p.Hash) == 0 {
		p.State = layout.Absent
	}
	return nil
}
