package layout

import (
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/lanyardctl/lanyardctl/record"
)

func TestAKeyIsKnownByItsPrefix(t *testing.T) {
	for _, tc := range []struct {
		key    string
		layout Layout
		id     string
	}{
		{"lanyard_kv:94490510688792576", UpstreamKV, "94490510688792576"},
		{"lanyard:user_kv:94490510688792576", ForkKV, "94490510688792576"},
		{"lanyard_last_seen:1", UpstreamLastSeen, "1"},
		{"lanyard:user_last_seen:1", ForkLastSeen, "1"},
		{"lanyard:user_monitoring_since:1", ForkMonitoringSince, "1"},
		{"user_monitoring_since:1", OlderMonitoringSince, "1"},
		{"monitoring:1", OldestMonitoringSince, "1"},
		{"user_api_key:1", UserAPIKey, "1"},
		{"api_key:lnyd_abc:def", APIKey, "lnyd_abc:def"},
		{"api_key:", APIKey, ""},
		{"lanyard_kv:", UpstreamKV, ""},
		{"lanyard_kv:x\x00\xff", UpstreamKV, "x\x00\xff"},
		{"lanyard:metrics_v1", Counters, ""},
		{"lanyard_analytics:1:spotify:track:2", Analytics, "1:spotify:track:2"},
		{"lanyard:metrics_v1:x", Other, ""},
		{"lanyard:metrics_v2", Other, ""},
		{"lanyard:global_sync", Other, ""},
		{"Lanyard_kv:1", Other, ""},
		{"xapi_key:1", Other, ""},
		{"lanyard_kv", Other, ""},
		{"", Other, ""},
	} {
		if l, id := Classify(tc.key); l != tc.layout || id != tc.id {
			t.Errorf("%q is layout %d with id %q, want %d with %q", tc.key, l, id, tc.layout, tc.id)
		}
	}
}

func TestEveryLayoutFindsItsOwnKeys(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		l := Layout(rapid.IntRange(1, int(Analytics)).Draw(t, "layout"))
		id := rapid.String().Draw(t, "id")
		if l == Counters {
			id = ""
		}
		if got, gotID := Classify(l.Key(id)); got != l || gotID != id {
			t.Fatalf("%q is layout %d with id %q, want %d with %q", l.Key(id), got, gotID, l, id)
		}
	})
}

func TestPrefixesAreThoseOfTheKindsAndApart(t *testing.T) {
	all := Prefixes(record.LanyardKinds)
	for i, a := range all {
		for j, b := range all {
			if i != j && strings.HasPrefix(a, b) {
				t.Errorf("%s begins with %s", a, b)
			}
		}
	}
	n := 0
	for _, kind := range record.LanyardKinds.List() {
		of := Prefixes(record.Kinds(0).With(kind))
		n += len(of)
		for _, prefix := range of {
			l, _ := Classify(prefix)
			if is, known := l.Kind(); !known || is != kind {
				t.Errorf("%s is among the prefixes of %s", prefix, kind)
			}
		}
	}
	if n != len(all) || n != len(Patterns()) {
		t.Errorf("%d prefixes of single kinds, %d of all, %d patterns", n, len(all), len(Patterns()))
	}
}

func TestLayoutsOfAFamilyKeepTheSameInTheSameType(t *testing.T) {
	for l := Other; l <= Analytics; l++ {
		kind, known := l.Kind()
		if family := l.Family(); len(family) > 0 && !slices.Contains(family, l) {
			t.Errorf("layout %d is not in its own family", l)
		}
		for _, sibling := range l.Family() {
			k, _ := sibling.Kind()
			if k != kind || sibling.IsHash() != l.IsHash() || !known || !sibling.HasUser() {
				t.Errorf("layouts %d and %d are a family, but differ", l, sibling)
			}
		}
	}
}

func FuzzClassify(f *testing.F) {
	for _, prefix := range prefixes {
		f.Add(prefix + "94490510688792576")
	}
	f.Fuzz(func(t *testing.T, key string) {
		l, id := Classify(key)
		if l == Other {
			for known := ForkKV; known <= Analytics; known++ {
				if known != Counters && strings.HasPrefix(key, prefixes[known]) {
					t.Fatalf("%q is not recognised as layout %d", key, known)
				}
			}
			return
		}
		if l.Key(id) != key {
			t.Fatalf("%q became layout %d with id %q", key, l, id)
		}
	})
}
