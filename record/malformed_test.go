package record_test

import (
	"testing"

	. "github.com/lanyardctl/lanyardctl/record"
)

func TestADocumentWithoutAKeyIsNobodysChoice(t *testing.T) {
	r := Record{Kind: APIKeys, User: user, APIKey: "lnyd_1"}
	for _, policy := range []Policy{FailOnConflict, PreferSource, PreferTarget} {
		for name, held := range map[string]Held{"none": {Found: true}, "a number": {Found: true, Malformed: int64(7)}} {
			d, then := merge(r, Existing{Held: held}, policy)
			if !d.Write || d.APIKey != r.APIKey || d.Status != Updated || len(d.Rejects) > 0 || d.Kept != 0 {
				t.Errorf("%s, %s: %+v", name, policy, d)
			}
			if lost := len(d.Superseded); lost != 0 && held.Malformed == nil || lost != 1 && held.Malformed != nil {
				t.Errorf("%s, %s: %d values are kept", name, policy, lost)
			}
			if d, _ := merge(r, then, policy); d.Write {
				t.Errorf("%s, %s: merged twice, it is written twice", name, policy)
			}
		}
	}
}

func TestCountersThatTheAppDoesNotFindAreWritten(t *testing.T) {
	r := Record{Kind: Metrics, Fields: map[string]Field{"c": {Value: int64(1)}}}
	held := Held{Found: true, Untyped: true, Fields: map[string]Value{"c": int64(1)}}
	if d, _ := merge(r, Existing{Held: held}, FailOnConflict); !d.Write || d.Status != Updated || len(d.Set) > 0 {
		t.Errorf("%+v", d)
	}
	s := Document{Kind: Metrics, Held: held}
	if c := s.Content(now); c.Complete {
		t.Error("a hidden document is as good as another")
	}
	for _, exact := range []bool{false, true} {
		c := Compare(r, s, CompareOptions{Exact: exact, Now: now})
		if len(c.Differences) != 1 || c.Differences[0].Field != "type" || c.Differences[0].Type != Different {
			t.Errorf("exact %t: %v", exact, c.Differences)
		}
	}
	held.Untyped = false
	if d, _ := merge(r, Existing{Held: held}, FailOnConflict); d.Write {
		t.Errorf("%+v", d)
	}
}

func TestValuesThatThePolicyLetsTheTargetKeepAreCounted(t *testing.T) {
	kv := Record{Kind: KV, User: user, Fields: map[string]Field{"a": {Value: "x"}, "b": {Value: "y"}, "c": {Value: "z"}}}
	held := Held{Found: true, Fields: map[string]Value{"a": "x", "b": 1.5, "c": nil, "d": true}}
	for policy, want := range map[Policy]int{FailOnConflict: 0, PreferSource: 0, PreferTarget: 2} {
		if d, _ := merge(kv, Existing{Held: held}, policy); d.Kept != want {
			t.Errorf("%s: %d, want %d", policy, d.Kept, want)
		}
		if c := Compare(kv, Document{Kind: KV, User: user, Held: held}, CompareOptions{Policy: policy, Now: now}); c.Kept != want {
			t.Errorf("compared with %s: %d, want %d", policy, c.Kept, want)
		}
		if c := Compare(kv, Document{Kind: KV, User: user, Held: held}, CompareOptions{Policy: policy, Exact: true, Now: now}); c.Kept != 0 || len(c.Differences) != 3 {
			t.Errorf("compared exactly with %s: %d kept, %v", policy, c.Kept, c.Differences)
		}
	}
}

func TestARejectedCounterIsNotGone(t *testing.T) {
	it := Item{Kind: Metrics, Rejects: []Reject{Reject{Kind: Metrics, Reason: NotACounter}.At("c", Origin{})}}
	if !it.Omitted().Has("c") || it.Omitted().Has("d") {
		t.Errorf("%+v", it.Omitted())
	}
}
