package layout

import (
	"context"
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/lanyardctl/lanyardctl/record"
)

func TestPlacesAreInTheOrderOfTheApp(t *testing.T) {
	want := []record.DatePlace{
		{Name: "redis:lanyard:user_monitoring_since"},
		{Name: "redis:user_monitoring_since"},
		{Name: "redis:monitoring"},
		{Name: "redis:lanyard:user_kv", UserWritable: true},
		{Name: "redis:lanyard_kv", UserWritable: true},
	}
	if d := cmp.Diff(want, Places()); d != "" {
		t.Error(d)
	}
}

func TestKeysClaimDates(t *testing.T) {
	w := NewWanted(Request{Dates: true, Kinds: record.Kinds(0).With(record.LastSeen), Now: now})
	for _, kind := range record.LanyardKinds.List() {
		if want := kind == record.KV || kind == record.MonitoringSince; w.Has(kind, user) != want {
			t.Errorf("%s is asked for: %t", kind, !want)
		}
	}
	const older, oldest, fork, upstream = 1, 2, 3, 4
	tooLong := text(ForkMonitoringSince, "")
	tooLong.State, tooLong.Type = TooLarge, "string"
	for _, tc := range []struct {
		rule   string
		kind   record.Kind
		founds []Found
		want   []record.DateValue
	}{
		{"no key, no claim", record.MonitoringSince, []Found{absent(ForkMonitoringSince)}, nil},
		{"each key of the family is a claim, as it is", record.MonitoringSince,
			[]Found{text(OldestMonitoringSince, "1664641326"), text(ForkMonitoringSince, " soon\xff"), text(OlderMonitoringSince, "")},
			[]record.DateValue{{User: user, Has: true, Value: " soon\xff"}, {Place: older, User: user, Has: true, Value: ""},
				{Place: oldest, User: user, Has: true, Value: "1664641326"}}},
		{"a key of a wrong type is named", record.MonitoringSince, []Found{wrong(ForkMonitoringSince, "list")},
			[]record.DateValue{{User: user, Has: true, Reason: record.WrongType, Detail: "the key holds a list, not a string"}}},
		{"a generic key of a wrong type is foreign", record.MonitoringSince, []Found{wrong(OlderMonitoringSince, "list")}, nil},
		{"a text of many MiB is no time", record.MonitoringSince, []Found{tooLong},
			[]record.DateValue{{User: user, Has: true, Reason: record.NotATimestamp, Detail: "text of more than 32 MiB"}}},
		{"both hashes are claims; upstream's is text", record.KV,
			[]Found{hash(ForkKV, DateField, "1664641326", "a", "b"), hash(UpstreamKV, DateField, "1664641326")},
			[]record.DateValue{{Place: fork, User: user, Has: true, Value: int64(1664641326)},
				{Place: upstream, User: user, Has: true, Value: "1664641326"}}},
		{"a JSON string is the text in it", record.KV, []Found{hash(ForkKV, DateField, `"1664641326"`)},
			[]record.DateValue{{Place: fork, User: user, Has: true, Value: "1664641326"}}},
		{"what is no JSON is the text it is", record.KV, []Found{hash(ForkKV, DateField, "2022-10-01T16:22:06Z")},
			[]record.DateValue{{Place: fork, User: user, Has: true, Value: "2022-10-01T16:22:06Z"}}},
		{"a hash without the field says so", record.KV, []Found{hash(ForkKV, "a", "b")}, []record.DateValue{{Place: fork, User: user}}},
		{"a value that is no text is named", record.KV, []Found{hash(UpstreamKV, DateField, "\xff")},
			[]record.DateValue{{Place: upstream, User: user, Has: true, Reason: record.InvalidUTF8, Detail: "the value is not valid UTF-8"}}},
		{"a number out of range is named", record.KV, []Found{hash(ForkKV, DateField, "1e400")},
			[]record.DateValue{{Place: fork, User: user, Has: true, Reason: record.NumberOutOfRange,
				Detail: "holds an integer beyond 64 bits or a number beyond a double"}}},
		{"a hash of a wrong type is named", record.KV, []Found{wrong(ForkKV, "string")},
			[]record.DateValue{{Place: fork, User: user, Has: true, Reason: record.WrongType, Detail: "the key holds a string, not a hash"}}},
		{"a hash that is too large is named", record.KV, []Found{large(UpstreamKV)},
			[]record.DateValue{{Place: upstream, User: user, Has: true, Reason: record.DocumentTooLarge, Detail: "over 32 MiB; the value stays in the source"}}},
	} {
		it, ok := w.Item(tc.kind, user, tc.founds)
		if ok != (len(tc.want) > 0) {
			t.Errorf("%s: made an item: %t", tc.rule, ok)
		}
		if d := cmp.Diff(tc.want, it.Dates); d != "" {
			t.Errorf("%s (-want +got):\n%s", tc.rule, d)
		}
		it.Dates = nil
		if d := cmp.Diff(record.Item{Kind: tc.kind}, it); d != "" {
			t.Errorf("%s: more than claims:\n%s", tc.rule, d)
		}
	}
}

func TestADamagedKeyIsNobodysClaim(t *testing.T) {
	f := Found{Key: "lanyard:user_monitoring_since:007", Layout: ForkMonitoringSince, State: Present, Text: "1"}
	it, ok := NewWanted(Request{Dates: true}).Damaged(f)
	if d := cmp.Diff([]record.DateValue{{Name: "007", Has: true, Value: "1"}}, it.Dates); !ok || d != "" {
		t.Error(ok, d)
	}
	for rule, f := range map[string]Found{
		"foreign": {Key: "monitoring:x", Layout: OldestMonitoringSince, State: Present, Text: "1"},
		"absent":  {Key: "lanyard:user_monitoring_since:007", Layout: ForkMonitoringSince},
		"other":   {Key: "lanyard_last_seen:007", Layout: UpstreamLastSeen, State: Present, Text: "1"},
	} {
		if it, ok := NewWanted(Request{Dates: true}).Damaged(f); ok {
			t.Errorf("%s: %+v", rule, it)
		}
	}
}

// pages is a source that delivers its pages, one a part, and then fails.
type pages struct {
	record.Source
	pages []record.Page
	err   error
}

func (s pages) Deferred(context.Context, func(record.Page) error) error { return nil }

func (s pages) Parts(context.Context) ([]record.Part, error) {
	var parts []record.Part
	for _, p := range s.pages {
		parts = append(parts, page{p})
	}
	return parts, s.err
}

type page struct{ record.Page }

func (page) Name() string { return "page" }

func (p page) Read(_ context.Context, _ string, yield func(record.Page) error) error {
	return yield(p.Page)
}

func TestADateSourceReadsAllParts(t *testing.T) {
	claim := func(user record.UserID) record.Item { return record.Item{Dates: []record.DateValue{{User: user}}} }
	src := pages{pages: []record.Page{
		{Items: []record.Item{claim(1), claim(2)}, Seen: record.KeyCounts{Keys: 3, Lanyard: 2}},
		{Seen: record.KeyCounts{Keys: 4}},
		{Items: []record.Item{claim(3)}, Seen: record.KeyCounts{Keys: 1, Lanyard: 1}},
	}}
	d := DateSource(src)
	for range 2 {
		var users []record.UserID
		err := d.Values(t.Context(), func(claims []record.DateValue) error {
			for _, c := range claims {
				users = append(users, c.User)
			}
			return nil
		})
		if diff := cmp.Diff([]record.UserID{1, 2, 3}, users); err != nil || diff != "" {
			t.Error(err, diff)
		}
	}
	stop := errors.New("stop")
	if err := d.Values(t.Context(), func([]record.DateValue) error { return stop }); err != stop {
		t.Errorf("yield's error came back as %v", err)
	}
	src.err = stop
	if err := DateSource(src).Values(t.Context(), nil); !errors.Is(err, stop) {
		t.Errorf("the source's error came back as %v", err)
	}
}
