package rejectsfile

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/lanyardctl/lanyardctl/record"
)

func lines() *rapid.Generator[Line] {
	return rapid.Custom(func(t *rapid.T) Line {
		anything := rapid.OneOf(rapid.String(), rapid.Map(rapid.SliceOf(rapid.Byte()), func(b []byte) string { return string(b) }))
		l := Line{Reject: record.Reject{
			Key: anything.Draw(t, "key"), Kind: rapid.SampledFrom(record.LanyardKinds.List()).Draw(t, "kind"),
			User:   record.UserID(rapid.Uint64().Draw(t, "user")),
			Reason: rapid.SampledFrom([]record.Reason{record.TooDeep, record.ConflictReason, record.SupersededReason}).Draw(t, "reason"),
			Detail: rapid.String().Draw(t, "detail"),
		}}
		if l.HasField = rapid.Bool().Draw(t, "has field"); l.HasField {
			l.Field = anything.Draw(t, "field")
		}
		if rapid.Bool().Draw(t, "present") {
			l.Value = record.Raw(anything.Draw(t, "value"))
			l.Value.Form = rapid.SampledFrom([]record.Form{record.SourceForm, record.TextForm, record.JSONForm}).Draw(t, "form")
		} else {
			l.Value = record.Bytes{Type: "list", Size: rapid.Int64Min(0).Draw(t, "size")}
		}
		if rapid.Bool().Draw(t, "newer") {
			l.Run = Run{rapid.StringMatching(`[A-Z0-9]{26}`).Draw(t, "run"), time.Unix(rapid.Int64Range(0, 4e9).Draw(t, "time"), 0).UTC(),
				rapid.SampledFrom([]Store{"", ToRedis}).Draw(t, "to")}
		}
		return l
	})
}

func TestALineIsReadBackAsItWasWritten(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		l := lines().Draw(t, "line")
		text, err := l.MarshalJSON()
		if err != nil || strings.ContainsRune(string(text), '\n') {
			t.Fatalf("%s: %v", text, err)
		}
		var got Line
		if err := json.Unmarshal(text, &got); err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		if d := cmp.Diff(l, got); d != "" {
			t.Error(d)
		}
	})
}

func TestALineOfANamedRecordShowsItsKeyOrItsName(t *testing.T) {
	line := Line{Reject: record.Reject{Kind: record.KV, Name: record.NameOf("row"), Reason: record.TooDeep}}
	for key, want := range map[string]string{"table/row": `{"key":"table/row","kind":"kv","user_id":null,`, "": `{"key":"row","kind":"kv","user_id":null,`} {
		line.Key = key
		if text, err := line.MarshalJSON(); err != nil || !strings.HasPrefix(string(text), want) {
			t.Errorf("%s: %v", text, err)
		}
	}
}

func FuzzReading(f *testing.F) {
	text, err := Line{Reject: record.Reject{Key: "lanyard_kv:\xff", Field: "\xfe", HasField: true, Reason: record.TooDeep, Value: record.Raw("v")}, Run: aRun}.MarshalJSON()
	if err != nil {
		f.Fatal(err)
	}
	for _, seed := range []string{string(text), "{}", `{"key":"a","kind":"kv","reason":"too-deep","user_id":"x"}`, `{"kind":"kv","reason":"r","value_base64":"!"}`, "[]", "\n\n", "half"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		path := filepath.Join(t.TempDir(), "file")
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		file, err := Open(path)
		if err != nil {
			if !errors.Is(err, ErrNoLines) {
				t.Errorf("%v", err)
			}
			return
		}
		defer file.Close()
		for _, run := range file.Runs {
			n := int64(0)
			if err := file.Lines(run.Run, func(Line) error { n++; return nil }); err != nil || n != run.Lines {
				t.Errorf("%d lines of %d, %v", n, run.Lines, err)
			}
		}
	})
}

func TestALineOfAnyTableIsReadWhereNobodyDefinedIt(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"orders.2026", "last_connected"} { // also where it has the name of a kind of Lanyard's
		var l Line
		text := `{"key":"` + name + `/a","kind":"` + name + `","user_id":null,"reason":"too-deep","to":"mongodb"}`
		if err := json.Unmarshal([]byte(text), &l); err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if table, ok := l.Kind.Table(); !ok || table.Name != name {
			t.Errorf("%s is read as the table %q: %v", name, table.Name, ok)
		}
	}
	for _, line := range []string{`{"key":"a","kind":"orders.2027","reason":"too-deep"}`, `{"key":"a","kind":"no table\u001b","reason":"too-deep","to":"mongodb"}`} {
		if err := json.Unmarshal([]byte(line), new(Line)); err == nil {
			t.Errorf("%s is a line", line)
		}
	}
}
