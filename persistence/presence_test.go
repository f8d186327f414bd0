package persistence_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/lanyardctl/lanyardctl/internal/retry"
	"github.com/lanyardctl/lanyardctl/persistence"
	"github.com/lanyardctl/lanyardctl/record"
	"github.com/lanyardctl/lanyardctl/store/mem"
)

// shelf is a store that holds entries, or fails.
type shelf struct {
	mem.Persistence
	entries map[record.Kind][]record.Entry
	err     error
	asked   int
}

func (s *shelf) Entries(_ context.Context, kind record.Kind, _ record.UserID) ([]record.Entry, error) {
	s.asked++
	return s.entries[kind], s.err
}

const forks, upstreams = record.Apps(1 << record.Fork), record.Apps(1 << record.Upstream)

func shelves(app record.App) (l *persistence.Layer, redis, mongo *shelf) {
	redis, mongo = &shelf{entries: map[record.Kind][]record.Entry{}}, &shelf{entries: map[record.Kind][]record.Entry{}}
	l = persistence.New(app, &persistence.Store{Name: "Redis", Persistence: redis}, &persistence.Store{Name: "MongoDB", Persistence: mongo})
	l.Retry = retry.Policy{For: 1}
	return l, redis, mongo
}

func TestWhichPlaceAnswers(t *testing.T) {
	t.Parallel()
	pairs := func(place string, apps record.Apps, v record.Value) record.Entry {
		e := record.Entry{Place: place, Apps: apps}
		if v != nil {
			e.Fields = values{record.OlderTimeField: v}
		}
		return e
	}
	date := func(place string, v any, fault string) record.Entry {
		return record.Entry{Place: place, Apps: forks, Time: v, Fault: fault}
	}
	for _, c := range []struct {
		name         string
		app          record.App
		redis, mongo map[record.Kind][]record.Entry
		kv, since    string // places
		date         int64
		faults       int
	}{
		{name: "nothing"},
		{
			name:  "a document without pairs is no answer",
			mongo: map[record.Kind][]record.Entry{record.KV: {pairs("kv", forks, nil)}},
			redis: map[record.Kind][]record.Entry{record.KV: {pairs("fork", forks, "1700000000"), pairs("upstream", upstreams, "2")}},
			kv:    "fork", since: "fork monitoring_since", date: 1700000000,
		},
		{
			name:  "upstream reads its own layout, and no date",
			app:   record.Upstream,
			mongo: map[record.Kind][]record.Entry{record.KV: {pairs("kv", forks, "1700000000")}},
			redis: map[record.Kind][]record.Entry{
				record.KV:              {pairs("fork", forks, "1700000000"), pairs("upstream", upstreams, "1700000000")},
				record.MonitoringSince: {date("monitoring:", int64(1), "")},
			},
			kv: "upstream",
		},
		{
			name:  "a time that the app cannot read is taken by its meaning",
			mongo: map[record.Kind][]record.Entry{record.MonitoringSince: {date("a", "2022-10-01T16:22:06Z", "text"), date("b", int64(7), "")}},
			since: "a", date: 1664641326, faults: 1,
		},
		{
			name:  "milliseconds are a fault, and mean what they mean",
			mongo: map[record.Kind][]record.Entry{record.MonitoringSince: {date("a", int64(1664641326000), "milliseconds")}},
			since: "a", date: 1664641326, faults: 1,
		},
		{
			name:  "what has no meaning is passed over",
			mongo: map[record.Kind][]record.Entry{record.MonitoringSince: {date("a", "soon", "text"), date("b", int64(1)<<62, ""), date("c", int64(-1), "")}},
			redis: map[record.Kind][]record.Entry{record.MonitoringSince: {date("d", int64(7), "")}},
			since: "d", date: 7, faults: 3,
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			l, redis, mongo := shelves(c.app)
			redis.entries, mongo.entries = c.redis, c.mongo
			p, err := l.Get(t.Context(), user, persistence.Question{})
			if err != nil {
				t.Fatal(err)
			}
			if p.KV.From.Place != c.kv || p.MonitoringSince.From.Place != c.since || p.MonitoringSince.Time != c.date {
				t.Errorf("kv from %q, the date %d from %q", p.KV.From.Place, p.MonitoringSince.Time, p.MonitoringSince.From.Place)
			}
			if got := len(p.MonitoringSince.Faults()); got != c.faults {
				t.Errorf("%d faults, want %d", got, c.faults)
			}
			if p.Found() != (c.kv != "" || c.since != "") {
				t.Errorf("found is %v", p.Found())
			}
		})
	}
}

func TestReadingEndsWithTheAnswerUnlessAllIsAsked(t *testing.T) {
	t.Parallel()
	l, redis, mongo := shelves(record.Fork)
	mongo.entries[record.LastSeen] = []record.Entry{{Place: "last_seen.timestamp", Apps: forks, Time: int64(5)}}
	if a, err := l.LastSeen(t.Context(), user, persistence.Question{}); err != nil || a.Time != 5 || redis.asked != 0 {
		t.Errorf("%+v, %v; Redis was asked %d times", a, err, redis.asked)
	}
	redis.entries[record.LastSeen] = []record.Entry{{Place: "lanyard:user_last_seen:", Apps: forks, Time: int64(6)}}
	if a, err := l.LastSeen(t.Context(), user, persistence.Question{Everything: true}); err != nil || a.Time != 5 || len(a.All) != 2 {
		t.Errorf("%+v, %v", a, err)
	}
}

func TestAStoreThatFailsIsNotNothing(t *testing.T) {
	t.Parallel()
	l, redis, mongo := shelves(record.Fork)
	redis.entries[record.KV] = []record.Entry{{Place: "lanyard:user_kv:", Apps: forks, Fields: values{"a": "old"}}}
	mongo.err = errors.New("connection refused")
	_, err := l.KV(t.Context(), user, persistence.Question{})
	var failed *persistence.StoreError
	if !errors.As(err, &failed) || failed.Store != "MongoDB" || !errors.Is(err, mongo.err) {
		t.Errorf("got %v", err)
	}
	var told []string
	l.Fallback, l.Notify = true, func(message string) { told = append(told, message) }
	a, err := l.KV(t.Context(), user, persistence.Question{})
	if err != nil || a.From.Store != "Redis" || len(told) != 1 || !strings.Contains(told[0], "MongoDB: connection refused") {
		t.Errorf("%+v, %v, told %q", a, err, told)
	}
	// What is written must not rest on a store that is left out.
	if _, err := l.ChangeKV(t.Context(), user, set(values{"b": "1"})); !errors.As(err, &failed) {
		t.Errorf("a write: %v", err)
	}
}

func TestFieldsThatCannotBeReadAreFaults(t *testing.T) {
	t.Parallel()
	l, redis, _ := shelves(record.Fork)
	redis.entries[record.KV] = []record.Entry{{Place: "here", Apps: forks, Fields: values{"a": "1"}, Unreadable: map[string]string{"b": "the value is not valid UTF-8"}}}
	a, err := l.KV(t.Context(), user, persistence.Question{})
	if err != nil || !a.Found {
		t.Fatal(err)
	}
	if faults := a.Faults(); len(faults) != 1 || faults[0].Fault != `field "b": the value is not valid UTF-8` || faults[0].Place != "here" {
		t.Errorf("%+v", faults)
	}
}

func TestWhichAPIKeyAuthenticates(t *testing.T) {
	t.Parallel()
	key := func(text string, apps record.Apps, authenticates bool) record.Entry {
		return record.Entry{Place: "a place", Apps: apps, APIKey: text, Authenticates: authenticates}
	}
	for _, c := range []struct {
		name         string
		app          record.App
		redis, mongo []record.Entry
		want, store  string
	}{
		{name: "the first one that does", mongo: []record.Entry{key("half", forks, false), key("a", forks, true), key("b", forks, true)},
			redis: []record.Entry{key("c", forks, true)}, want: "a", store: "MongoDB"},
		{name: "the fork looks into MongoDB alone", redis: []record.Entry{key("c", forks, true)}},
		{name: "what only another app reads lets nobody in", app: record.Upstream, redis: []record.Entry{key("a", forks, true), key("b", upstreams, true)},
			mongo: []record.Entry{key("c", upstreams, true)}, want: "b", store: "Redis"},
	} {
		l, redis, mongo := shelves(c.app)
		redis.entries[record.APIKeys], mongo.entries[record.APIKeys] = c.redis, c.mongo
		state, err := l.APIKey(t.Context(), user, persistence.Question{})
		if err != nil || state.Current != c.want || state.From.Store != c.store || len(state.All) != len(c.redis)+len(c.mongo) {
			t.Errorf("%s: %+v, %v", c.name, state, err)
		}
	}
}

func TestWhichTimesCanBeShown(t *testing.T) {
	t.Parallel()
	const beyond = "it lies beyond the year 9999"
	for _, c := range []struct {
		kind        record.Kind
		time        any
		fault       string
		found       bool
		want        int64
		wantedFault string
	}{
		{kind: record.LastSeen, time: int64(253402300799999), found: true, want: 253402300799999},
		{kind: record.LastSeen, time: int64(-1), wantedFault: "implausible-timestamp: negative"},
		{kind: record.MonitoringSince, time: int64(253402300799), found: true, want: 253402300799},
		{kind: record.MonitoringSince, time: int64(1664641326417), found: true, want: 1664641326},
		{kind: record.LastSeen, time: time.Date(12000, 1, 1, 0, 0, 0, 0, time.UTC), wantedFault: beyond},
		{kind: record.LastSeen, time: time.Date(12000, 1, 1, 0, 0, 0, 0, time.UTC), fault: "a date", wantedFault: "a date"},
		{kind: record.LastSeen, time: "never", fault: "a text", wantedFault: "a text"},
		{kind: record.LastSeen, time: "never", wantedFault: "not-a-timestamp: neither a number nor an ISO 8601 time"},
		{kind: record.LastSeen, time: "1650000000000", fault: "a text", found: true, want: 1650000000000, wantedFault: "a text"},
	} {
		l, _, mongo := shelves(record.Fork)
		mongo.entries[c.kind] = []record.Entry{{Place: "a place", Apps: forks, Time: c.time, Fault: c.fault}}
		ask := l.LastSeen
		if c.kind == record.MonitoringSince {
			ask = l.MonitoringSince
		}
		a, err := ask(t.Context(), user, persistence.Question{})
		if err != nil || a.Found != c.found || a.Time != c.want || a.All[0].Fault != c.wantedFault {
			t.Errorf("%s %v: %+v, %v", c.kind, c.time, a, err)
		}
	}
}

func TestNoStoreTakesThePlaceOfOneAfterAnInterruption(t *testing.T) {
	t.Parallel()
	l, redis, mongo := shelves(record.Fork)
	l.Fallback, mongo.err = true, context.Canceled
	redis.entries[record.LastSeen] = []record.Entry{{Apps: forks, Time: int64(1)}}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if a, err := l.LastSeen(ctx, user, persistence.Question{}); !errors.Is(err, context.Canceled) {
		t.Errorf("%+v, %v", a, err)
	}
}
