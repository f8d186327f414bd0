package storetest

import (
	"fmt"
	"strconv"
	"testing"

	"pgregory.net/rapid"

	"github.com/lanyardctl/lanyardctl/record"
	"github.com/lanyardctl/lanyardctl/store/mem"
)

// asInMemory does random things to the target and to one in memory, and compares answers and contents after each.
func asInMemory(t *testing.T, open Open, texts bool) {
	rapid.Check(t, func(rt *rapid.T) {
		o := Options{
			Policy: rapid.SampledFrom([]record.Policy{record.FailOnConflict, record.PreferSource, record.PreferTarget}).Draw(rt, "policy"),
			Mirror: !texts && rapid.Bool().Draw(rt, "mirror"), Now: clock, Texts: texts,
		}
		before := rapid.SliceOfN(genPut(texts), 0, 6).Draw(rt, "before")
		o.Before = func(put func(record.Kind, record.UserID, mem.Document)) {
			for _, p := range before {
				put(p.kind, p.user, p.document)
			}
		}
		model, target := Mem(t, o), open(t, o)
		write(t, target, nil) // from now on others may write, too
		for step := range rapid.IntRange(1, 4).Draw(rt, "steps") {
			if rapid.Bool().Draw(rt, "app") {
				p := genPut(texts).Draw(rt, "put")
				if !keyIsFree(model, p) {
					continue // two documents with one key are not of the suite
				}
				if texts || rapid.Bool().Draw(rt, "in place") {
					p.document.Mark = model.All(p.kind)[p.user].Mark
				}
				model.Put(p.kind, p.user, p.document)
				target.Put(p.kind, p.user, p.document)
				checkReadBack(rt, target)
				continue
			}
			batch := oneKeyEach(rapid.SliceOfN(Records(), 1, 8).Draw(rt, "batch"))
			want, got := write(t, model, batch), write(t, target, batch)
			if d := difference(want, got); d != "" {
				rt.Fatalf("step %d: answers differ from those in memory (-memory +target):\n%s", step, d)
			}
			if d := difference(contentsOf(model), contentsOf(target)); d != "" {
				rt.Fatalf("step %d: contents differ from those in memory (-memory +target):\n%s", step, d)
			}
			checkReadBack(rt, target)
			checkNothingIsLeftToDo(rt, target, batch, got.Outcomes, record.CompareOptions{Policy: o.Policy, Now: Now})
		}
	})
}

// oneKeyEach leaves out all API keys but the first: within a batch it is open in which order keys pass between users.
func oneKeyEach(batch []record.Record) []record.Record {
	var kept []record.Record
	keys := 0
	for _, r := range batch {
		if r.Kind == record.APIKeys {
			if keys++; keys > 1 {
				continue
			}
		}
		kept = append(kept, r)
	}
	return kept
}

// put is a document of somebody else.
type put struct {
	kind     record.Kind
	user     record.UserID
	document mem.Document
}

func keyIsFree(model Target, p put) bool {
	if p.kind != record.APIKeys || p.document.APIKey == "" {
		return true
	}
	for user, d := range model.All(record.APIKeys) {
		if user != p.user && d.APIKey == p.document.APIKey {
			return false
		}
	}
	return true
}

func genUser() *rapid.Generator[record.UserID] {
	return rapid.SampledFrom([]record.UserID{94490510688792576, 156114103033790464, 1012345678901234567})
}

func genKey() *rapid.Generator[string] {
	return rapid.Custom(func(t *rapid.T) string {
		return fmt.Sprintf("lnyd_%032x", rapid.IntRange(1, 4).Draw(t, "key"))
	})
}

func genTime(kind record.Kind) *rapid.Generator[int64] {
	return rapid.Custom(func(t *rapid.T) int64 {
		ms := int64(1664641326000) + 1000*rapid.Int64Range(0, 5).Draw(t, "time")
		if kind == record.MonitoringSince {
			return ms / 1000
		}
		return ms
	})
}

// Values generates values that every target can hold.
func Values() *rapid.Generator[record.Value] {
	return rapid.OneOf(
		rapid.SampledFrom([]record.Value{nil, true, "", "seven", int64(7), 7.0, 7.5, int64(1) << 60, "\x00"}),
		rapid.SampledFrom([]record.Value{record.Array{}, record.Array{int64(1), "x"}, record.Object{"a": int64(1), "": "b"}, record.Object{}}),
	)
}

func genFields() *rapid.Generator[map[string]record.Field] {
	return rapid.Custom(func(t *rapid.T) map[string]record.Field {
		fields := make(map[string]record.Field)
		for name, v := range rapid.MapOfN(rapid.SampledFrom([]string{"a", "b", "", "ключ", "line\nbreak"}), Values(), 1, 4).Draw(t, "fields") {
			fields[name] = record.Field{Value: v, Origin: record.Origin{Key: "lanyard_kv:x", Raw: string(record.JSON(v))}}
		}
		return fields
	})
}

func genCounters() *rapid.Generator[map[string]record.Value] {
	return rapid.MapOfN(rapid.SampledFrom([]string{"lanyard_messages_inbound", "lanyard_2xx_responses"}),
		rapid.SampledFrom([]record.Value{int64(0), int64(12), 12.0, 12.5, int64(1) << 60}), 1, 2)
}

// Records generates records of all kinds and a few users that every target can hold.
func Records() *rapid.Generator[record.Record] {
	return rapid.Custom(func(t *rapid.T) record.Record {
		r := record.Record{Kind: record.Kind(rapid.IntRange(0, int(record.Remember)-1).Draw(t, "kind"))}
		if r.Kind.Identified() {
			r.User = genUser().Draw(t, "user")
		}
		switch r.Kind {
		case record.APIKeys:
			r.APIKey = genKey().Draw(t, "key")
			r.Origin = record.Origin{Key: "api_key:" + r.APIKey, Raw: r.APIKey}
		case record.KV:
			r.Fields = genFields().Draw(t, "kv")
		case record.LastSeen, record.MonitoringSince:
			r.Time = genTime(r.Kind).Draw(t, "time")
			r.Origin = record.Origin{Key: "monitoring:x", Raw: fmt.Sprint(r.Time)}
		case record.Metrics:
			r.Fields = make(map[string]record.Field)
			for name, v := range genCounters().Draw(t, "counters") {
				r.Fields[name] = record.Field{Value: v, Origin: record.Origin{Key: "lanyard:metrics_v1", Raw: string(record.JSON(v))}}
			}
		}
		return r
	})
}

func genPut(texts bool) *rapid.Generator[put] {
	if texts {
		return genPut(false).Filter(func(p put) bool { return textual(p.kind, p.document) })
	}
	return rapid.Custom(func(t *rapid.T) put {
		r := Records().Draw(t, "like")
		p := put{kind: r.Kind, user: r.User}
		switch r.Kind {
		case record.APIKeys:
			// Keys of the app's own, of which one may also come from the source.
			p.document.APIKey = fmt.Sprintf("lnyd_%032x", uint64(r.User)%1000)
			if rapid.Bool().Draw(t, "same") {
				p.document.APIKey = fmt.Sprintf("lnyd_%032x", 1+uint64(r.User)%3)
			}
			switch rapid.IntRange(0, 5).Draw(t, "no key") {
			case 0:
				// An index on the key lets one document only be without one.
				p.document.APIKey, p.document.Junk = "", int64(r.User)
			case 1:
				if r.User == alice {
					p.document.APIKey = ""
				}
			}
			p.document.CreatedAt = Now.AddDate(-1, 0, 0)
		case record.KV:
			p.document.Fields = make(map[string]record.Value)
			for name, f := range r.Fields {
				p.document.Fields[name] = f.Value
			}
		case record.LastSeen:
			p.document.Times = map[string]any{"timestamp": genStoredTime().Draw(t, "timestamp")}
		case record.MonitoringSince:
			p.document.Times = make(map[string]any)
			for _, field := range []string{"since", "monitoring_since"} {
				if rapid.Bool().Draw(t, field+" is there") {
					p.document.Times[field] = genStoredTime().Draw(t, field)
				}
			}
		case record.Metrics:
			p.document.Fields = genCounters().Draw(t, "counters")
			if rapid.Bool().Draw(t, "junk") {
				p.document.Fields["lanyard_2xx_responses"] = rapid.SampledFrom([]record.Value{"12", "many", int64(-1), nil}).Draw(t, "counter")
			}
			p.document.Hidden = rapid.IntRange(0, 3).Draw(t, "hidden") == 0
		}
		return p
	})
}

// textual reports whether a target that keeps texts can hold the document.
func textual(kind record.Kind, d mem.Document) bool {
	switch kind.Shape() {
	case record.TextShape:
		return d.APIKey != ""
	case record.TimeShape:
		for _, v := range d.Times {
			text, is := v.(string)
			_, integer := v.(int64)
			if _, err := strconv.ParseInt(text, 10, 64); !integer && (!is || err == nil) {
				return false
			}
		}
		return len(d.Times) > 0
	}
	for _, v := range d.Fields {
		_, number := record.ParseNumber(fmt.Sprint(v))
		if _, is := v.(string); kind == record.Metrics && (is && number || v == nil) {
			return false
		}
	}
	return !d.Hidden && d.Junk == nil && len(d.Fields) > 0
}

// textual reports whether a target that keeps texts can hold what the rule begins with.
func (r rule) textual() bool {
	for kind, documents := range r.before {
		for _, d := range documents {
			if !textual(kind, d) {
				return false
			}
		}
	}
	return true
}

// genStoredTime generates times as forks left them: of every type and unit, and implausible ones.
func genStoredTime() *rapid.Generator[any] {
	return rapid.SampledFrom([]any{
		int64(1664641326), int64(1664641328), int64(1664641327000), 1664641328.5, 1664641326.0, "1664641327", "2022-10-01T16:22:06Z",
		Now.AddDate(-3, 0, 0), Now.AddDate(1, 0, 0), "soon", int64(7), true, nil,
	})
}
