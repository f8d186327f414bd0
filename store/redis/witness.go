package redis

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"github.com/lanyardctl/lanyardctl/record"
	"github.com/lanyardctl/lanyardctl/store/layout"
)

// witnesses are some keys of Lanyard's that were there at one time, without a time to live. Those that are not there any
// more tell what became of the others, also where other keys came instead.
type witnesses struct {
	list    []witness
	count   [record.KindCount]int
	missing [record.KindCount]int
}

type witness struct {
	key  string
	kind record.Kind
}

const (
	mostWitnesses = 32 // of a kind, from before the first read
	mostRecalled  = 16 // of a kind, by a later run that goes on
	witnessPages  = 10 // of SCAN's answers are searched for them
)

// add remembers a key, where there are fewer than most of its kind.
func (w *witnesses) add(key string, most int) bool {
	l, id := layout.Classify(key)
	kind, known := l.Kind()
	if _, valid := record.ParseUserID(id); !known || l.HasUser() && !valid || w.count[kind] >= most || slices.Contains(w.list, witness{key, kind}) {
		return false
	}
	w.list = append(w.list, witness{key, kind})
	w.count[kind]++
	return true
}

// worst returns of how many witnesses how many are missing: of the kind that has lost the largest share, or of all where
// none is left.
func (w *witnesses) worst() (of, missing int) {
	for kind := range w.count {
		of += w.count[kind]
		missing += w.missing[kind]
	}
	if missing == of {
		return of, missing
	}
	for kind, n := range w.count {
		if m := w.missing[kind]; n >= fewWitnesses && m*of > missing*n {
			of, missing = n, m
		}
	}
	return of, missing
}

// findAllWitnesses remembers some of each node's keys, once.
func (s *Store) findAllWitnesses(ctx context.Context) error {
	s.searching.Lock()
	defer s.searching.Unlock()
	if s.searched {
		return nil
	}
	for _, n := range s.current() {
		if err := s.findWitnesses(ctx, n); err != nil {
			return err
		}
	}
	s.searched = true
	return nil
}

// findWitnesses remembers some of the keys that are there before anything is read.
func (s *Store) findWitnesses(ctx context.Context, n *node) error {
	cursor := uint64(0)
	for range witnessPages {
		var keys []string
		var next uint64
		err := s.persist(ctx, "scan redis "+n.addr, func(ctx context.Context) (err error) {
			keys, next, err = n.client.Scan(ctx, cursor, "", int64(s.pace.page(DefaultPageSize))).Result()
			return err
		})
		if err != nil {
			return err
		}
		if err := s.pace.take(ctx, len(keys)); err != nil {
			return err
		}
		keys = slices.DeleteFunc(keys, func(key string) bool {
			l, _ := layout.Classify(key)
			return l == layout.APIKey // whose it is, only its value says
		})
		if n.first.lasting < n.first.keys {
			if keys, err = s.lasting(ctx, keys); err != nil {
				return err
			}
		}
		for _, key := range keys {
			n.witnesses.add(key, mostWitnesses)
		}
		if cursor = next; cursor == 0 {
			return nil
		}
	}
	return nil
}

// lasting returns those of the keys of Lanyard's that have no time to live.
func (s *Store) lasting(ctx context.Context, keys []string) ([]string, error) {
	const lasts time.Duration = -1 // what go-redis makes of PTTL's answer
	keys = slices.DeleteFunc(keys, func(key string) bool {
		l, _ := layout.Classify(key)
		_, known := l.Kind()
		return !known
	})
	left := make([]*goredis.DurationCmd, len(keys))
	err := s.pipeline(ctx, "look up keys in redis", func(ctx context.Context, pipe goredis.Pipeliner) {
		for i, key := range keys {
			left[i] = pipe.PTTL(ctx, key)
		}
	})
	if err != nil {
		return nil, err
	}
	kept := keys[:0]
	for i, key := range keys {
		if left[i].Val() == lasts {
			kept = append(kept, key)
		}
	}
	return kept, nil
}

// held returns what the node held at the start, for a later run that goes on: how many lasting keys, and some of the
// witnesses. Those that are secrets are left out.
func (n *node) held() string {
	n.mu.Lock()
	defer n.mu.Unlock()
	words := []string{strconv.FormatInt(n.first.lasting, 10)}
	var count [record.KindCount]int
	for _, w := range n.witnesses.list {
		if count[w.kind]++; w.kind != record.APIKeys && count[w.kind] <= mostRecalled {
			words = append(words, w.key)
		}
	}
	return strings.Join(words, " ")
}

// recall makes the node's start that of an earlier run.
func (n *node) recall(held string) error {
	if held == "" {
		return nil
	}
	words := strings.Split(held, " ")
	was, err := strconv.ParseInt(words[0], 10, 64)
	if err != nil {
		return fmt.Errorf("%q is no number of keys", words[0])
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.first.lasting = max(n.first.lasting, was)
	if keys := words[1:]; len(keys) > 0 {
		n.witnesses = witnesses{} // those of now would hide what became of those of then
		for _, key := range keys {
			n.witnesses.add(key, mostRecalled)
		}
	}
	return nil
}

// witness remembers one key a kind of those of a page, where few were found before. More would only hide what became of
// those.
func (n *node) witness(keys []*probe) {
	n.mu.Lock()
	defer n.mu.Unlock()
	var taken record.Kinds
	for _, p := range keys {
		kind, known := p.Layout.Kind()
		if !known || taken.Has(kind) || n.witnesses.count[kind] >= fewWitnesses || !p.Exists() || p.Expires || p.Foreign() {
			continue
		}
		if n.witnesses.add(p.Key, fewWitnesses) {
			taken = taken.With(kind)
		}
	}
}

// callWitnesses looks which of the witnesses are not there any more.
func (s *Store) callWitnesses(ctx context.Context, n *node) error {
	n.mu.Lock()
	list := n.witnesses.list
	n.mu.Unlock()
	missing, err := s.missing(ctx, list)
	if err != nil {
		return err
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.witnesses.missing = missing
	return nil
}

// missing returns how many of the witnesses are not there, by kind.
func (s *Store) missing(ctx context.Context, list []witness) (missing [record.KindCount]int, err error) {
	if s.single && len(list) > 0 { // one command tells that none is, as it nearly always is
		keys := make([]string, len(list))
		for i, w := range list {
			keys[i] = w.key
		}
		if n, err := s.manyLookups().countExisting(ctx, keys); err != nil || n == int64(len(list)) {
			return missing, err
		}
	}
	exists := make([]*goredis.IntCmd, len(list))
	err = s.pipeline(ctx, "look up keys in redis", func(ctx context.Context, pipe goredis.Pipeliner) {
		for i, w := range list {
			exists[i] = pipe.Exists(ctx, w.key)
		}
	})
	if err != nil {
		return missing, err
	}
	for i, w := range list {
		if exists[i].Val() == 0 {
			missing[w.kind]++
		}
	}
	return missing, nil
}
