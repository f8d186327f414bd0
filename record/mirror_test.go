package record_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	. "github.com/lanyardctl/lanyardctl/record"
)

func mirror(r Record, held Existing, p Policy) (Decision, Existing) {
	d := Mirror(r, held, TimeBounds(r.Kind, r.User, now), p)
	return d, apply(r, held, d)
}

// genMirrored generates a record and what may stand in a target that mirrors its source: also documents that say what the
// record says, and times that are still what lanyardctl wrote.
func genMirrored(t *rapid.T) (Record, Existing, Policy) {
	r, held, policy := genCase(t)
	if r.Kind == KV && rapid.IntRange(0, 9).Draw(t, "an empty record") == 0 {
		r.Fields = nil
	}
	if rapid.Bool().Draw(t, "like a record") {
		like := r
		if rapid.Bool().Draw(t, "of another time") {
			like = genRecord(r.Kind).Draw(t, "like")
		}
		_, held = merge(like, Existing{}, FailOnConflict)
		held.Unmodified = held.Found && r.Kind.Identified() && rapid.Bool().Draw(t, "marked")
	}
	if r.Kind == KV {
		if rapid.IntRange(0, 3).Draw(t, "omitted") == 0 {
			r.Omitted = &Omitted{Names: []string{"d"}}
		}
		if held.Found && !held.Unmodified && rapid.IntRange(0, 9).Draw(t, "no fields") == 0 {
			held.Fields, held.Malformed = nil, "x"
		}
	}
	if r.Kind.Shape() == TimeShape && len(held.Times) == 1 {
		if _, plain := held.Times[TimeField(r.Kind)].(int64); plain {
			held.Unmodified = rapid.Bool().Draw(t, "written")
		}
	}
	return r, held, policy
}

// says returns what a document holds as a record.
func says(r Record, held Existing) Record {
	s := Record{Kind: r.Kind, User: r.User, APIKey: held.APIKey, Fields: make(map[string]Field)}
	if r.Kind.Shape() == TimeShape {
		s.Time, _ = held.Times[TimeField(r.Kind)].(int64)
	}
	for name, v := range held.Fields {
		s.Fields[name] = Field{Value: v}
	}
	return s
}

// sameContent reports whether a document holds exactly what the record says, in the types that the app reads.
func sameContent(r Record, held Existing) bool {
	c := Document{Kind: r.Kind, User: r.User, Held: held.Held}.Content(now)
	return held.Found && c.Complete && !c.Mistyped && c.Record.Digest() == r.Digest() && len(held.Times) <= 1
}

func TestMirroringTwiceChangesNothingMore(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r, held, policy := genMirrored(t)
		first, after := mirror(r, held, policy)
		if second, _ := mirror(r, after, policy); second.Write || (first.Status == Conflicted) != (second.Status == Conflicted) {
			t.Errorf("first %+v, then %+v", first, second)
		}
	})
}

func TestWhatIsStillLanyardctlsBecomesTheSources(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r, held, policy := genMirrored(t)
		if !held.Unmodified || held.KeyOwner != "" {
			return
		}
		d, after := mirror(r, held, policy)
		for name := range after.Fields {
			if r.Omitted.Has(name) {
				delete(after.Fields, name)
			}
		}
		if d.Status == Conflicted || !after.Unmodified || !sameContent(r, after) {
			t.Errorf("%+v leaves %+v of %+v", d, after, r)
		}
	})
}

func TestMirrorDecidesAsMergeOfWhatIsSomebodyElses(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r, held, policy := genMirrored(t)
		if held.Unmodified && r.Kind.Identified() {
			return
		}
		merged, want := merge(r, held, policy)
		mirrored, got := mirror(r, held, policy)
		if mirrored.Adopts != (mirrored.Write && !merged.Write) || mirrored.Adopts && mirrored.Status != Updated {
			t.Errorf("%+v instead of %+v", mirrored, merged)
		}
		if mirrored.Adopts {
			mirrored.Adopts, mirrored.Write, mirrored.Status = false, false, Unchanged
		}
		if r.Kind.Identified() {
			mirrored.Mark, got.Unmodified = merged.Mark, want.Unmodified
		}
		if d := cmp.Diff(merged, mirrored); d != "" {
			t.Errorf("(-merged +mirrored):\n%s", d)
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("what is left (-merged +mirrored):\n%s", d)
		}
	})
}

func TestAConflictChangesNothingThatIsSomebodyElses(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r, held, _ := genMirrored(t)
		d, after := mirror(r, held, FailOnConflict)
		if d.Status != Conflicted {
			return
		}
		for name, v := range held.Fields {
			if !Equal(after.Fields[name], v) {
				t.Errorf("%q was %v, and is %v", name, v, after.Fields[name])
			}
		}
		if after.APIKey != held.APIKey || d.Mark != "" {
			t.Errorf("%+v", d)
		}
	})
}

// TestTheMarkIsThatOfWhatTheRecordSays is the law that whatever says exactly what its record says is marked, and that a
// mark is true.
func TestTheMarkIsThatOfWhatTheRecordSays(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r, held, policy := genMirrored(t)
		d, after := mirror(r, held, policy)
		if d.Mark != "" && !Unmodified(says(r, after), d.Mark) {
			t.Errorf("the mark of %+v is another's", after)
		}
		exactly := sameContent(r, after) && r.Kind.Identified() && after.KeyOwner == ""
		if after.Found && exactly && !after.Unmodified {
			t.Errorf("%+v says what the record says, and is not marked: %+v", after, d)
		}
		if !held.Unmodified && d.Mark != "" && !sameContent(r, after) {
			t.Errorf("%+v of somebody else's is marked: %+v", after, d)
		}
	})
}

func TestAMarkedTimeIsThatAlone(t *testing.T) {
	mark := Record{Kind: MonitoringSince, User: user, Time: 1664641326}.Digest().String()
	for name, c := range map[string]struct {
		times map[string]any
		want  bool
	}{
		"what was written":               {map[string]any{"since": int64(1664641326)}, true},
		"another time":                   {map[string]any{"since": int64(1664641327)}, false},
		"another type":                   {map[string]any{"since": 1664641326.0}, false},
		"text":                           {map[string]any{"since": "1664641326"}, false},
		"with a fork's field":            {map[string]any{"since": int64(1664641326), "monitoring_since": int64(1700000000)}, false},
		"in a fork's field":              {map[string]any{"monitoring_since": int64(1664641326)}, false},
		"nothing":                        {nil, false},
		"a fork's field that is no date": {map[string]any{"since": int64(1664641326), "monitoring_since": nil}, false},
	} {
		t.Run(name, func(t *testing.T) {
			if got := UnmodifiedTime(MonitoringSince, user, c.times, mark); got != c.want {
				t.Error(got)
			}
		})
	}
	if UnmodifiedTime(MonitoringSince, user+1, map[string]any{"since": int64(1664641326)}, mark) {
		t.Error("of another user")
	}
}

// TestTheBetterOfTwoTimesIsKept has a source that went back: what it makes anew is followed, and no progress of its own.
func TestTheBetterOfTwoTimesIsKept(t *testing.T) {
	for name, c := range map[string]struct {
		kind     Kind
		was, is  int64
		mirrored bool
	}{
		"a later date":         {MonitoringSince, 1664641326, 1700000000, false},
		"an earlier date":      {MonitoringSince, 1700000000, 1664641326, true},
		"seen later than that": {LastSeen, 1664641326000, 1700000000000, true},
		"seen before that":     {LastSeen, 1700000000000, 1664641326000, false},
	} {
		t.Run(name, func(t *testing.T) {
			held := Held{Found: true, Unmodified: true, Times: map[string]any{TimeField(c.kind): c.was}}
			d, _ := mirror(Record{Kind: c.kind, User: user, Time: c.is}, Existing{Held: held}, FailOnConflict)
			if d.Time != c.is || len(d.Superseded) != 1 || d.Superseded[0].Mirrored != c.mirrored {
				t.Errorf("%+v", d)
			}
			doubtful, _ := mirror(Record{Kind: c.kind, User: user, Time: c.is, Doubtful: true}, Existing{Held: held}, FailOnConflict)
			if doubtful.Write != c.mirrored {
				t.Errorf("doubtful: %+v", doubtful)
			}
		})
	}
}
