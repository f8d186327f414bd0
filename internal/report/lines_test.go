package report

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/lanyardctl/lanyardctl/internal/golden"
	"github.com/lanyardctl/lanyardctl/internal/invocation"
	"github.com/lanyardctl/lanyardctl/internal/rejectsfile"
	"github.com/lanyardctl/lanyardctl/internal/ui"
	"github.com/lanyardctl/lanyardctl/record"
)

const secretKey = "0123456789abcdef0123456789abcdef"

func goldenLines() Lines {
	run := rejectsfile.RunLines{Run: rejectsfile.Run{ID: "RUN2", Time: time.Date(2026, 4, 3, 3, 7, 30, 0, time.UTC)}, Lines: 7}
	lines := []rejectsfile.Line{
		{Number: 3, Reject: record.Reject{Key: "api_key:" + secretKey, Kind: record.APIKeys, User: 94490510688792576, Reason: record.StaleAPIKey,
			Detail: "authenticates, but the user's current key is another", Value: record.Raw("94490510688792576")}},
		{Number: 4, Reject: record.Reject{Key: "user_api_key:94490510688792576", Kind: record.APIKeys, User: 94490510688792576, Reason: record.UnpairedAPIKey,
			Value: record.Raw("short"), Detail: `E11000 dup key: { key: "short" }`}},
		{Number: 5, Reject: record.Reject{Key: "lanyard_kv:94490510688792576", Kind: record.KV, User: 94490510688792576, Field: "a\x1b[2J\u202e", HasField: true,
			Reason: record.InvalidUTF8, Detail: "the value is not valid UTF-8", Value: record.Raw("caf\xe9 " + strings.Repeat("long ", 5000))}},
		{Number: 6, Reject: record.Reject{Key: "lanyard_kv:94490510688792576", Kind: record.KV, User: 94490510688792576, Field: "uri", HasField: true,
			Reason: record.TooDeep, Value: record.Raw("redis://me:hunter2@host and lnyd_" + secretKey)}},
		{Number: 7, Reject: record.Reject{Key: "lanyard_last_seen:1", Kind: record.LastSeen, Reason: record.WrongType, Value: record.Bytes{Type: "list", Size: 40 << 20}}},
		{Number: 8, Reject: record.Reject{Key: "x", Kind: record.KV, Reason: "made\u009bup", Value: record.Raw("\u009b")}},
	}
	return Lines{
		Command: invocation.RejectsShow, File: "rejects.ndjson", Run: run, Damaged: 1,
		Runs: []rejectsfile.RunLines{{Run: rejectsfile.Run{}, Lines: 1}, {Run: rejectsfile.Run{ID: "RUN1"}, Lines: 2}, run},
		Each: func(yield func(rejectsfile.Line) error) error {
			for _, l := range lines {
				if err := yield(l); err != nil {
					return err
				}
			}
			return nil
		},
	}
}

func TestLinesAreShownWithoutSecrets(t *testing.T) {
	for name, change := range map[string]func(*Lines){
		"lines":            func(*Lines) {},
		"lines-one":        func(l *Lines) { l.Most = 1 },
		"lines-superseded": func(l *Lines) { l.Command = invocation.SupersededShow },
		"lines-none":       func(l *Lines) { l.Each = func(func(rejectsfile.Line) error) error { return nil } },
		"lines-reveal":     func(l *Lines) { l.Reveal = true },
	} {
		l := goldenLines()
		change(&l)
		var text, script bytes.Buffer
		if err := l.WriteText(&text, ui.Style{Width: 80}); err != nil {
			t.Fatal(err)
		}
		if err := l.WriteJSON(&script); err != nil {
			t.Fatal(err)
		}
		for form, b := range map[string]*bytes.Buffer{".txt": &text, ".json": &script} {
			golden.Compare(t, name+form, b.String())
			for _, secret := range []string{secretKey, "hunter2", "short"} {
				if strings.Contains(b.String(), secret) != (l.Reveal && strings.Contains(b.String(), secretKey)) {
					t.Errorf("%s%s: whether %q is shown", name, form, secret)
				}
			}
			for _, raw := range []string{"\x1b", "\u202e", "\u009b", "\xe9"} {
				if strings.Contains(strings.ReplaceAll(b.String(), "é", ""), raw) {
					t.Errorf("%s%s shows %q", name, form, raw)
				}
			}
		}
		var parsed map[string]any
		if err := json.Unmarshal(script.Bytes(), &parsed); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestRunsWithoutAnIDAreNotNamed(t *testing.T) {
	l := goldenLines()
	l.Runs = []rejectsfile.RunLines{{Run: rejectsfile.Run{}, Lines: 1}, l.Run}
	var text bytes.Buffer
	if err := l.WriteText(&text, ui.Style{Width: 200}); err != nil {
		t.Fatal(err)
	}
	if got := text.String(); !strings.Contains(got, "1 line of other runs is in this file, too. --line shows") || strings.Contains(got, "--run") {
		t.Error(got)
	}
}

func TestAPasswordInANameOrADetailIsHidden(t *testing.T) {
	const uri = "redis://me:hunter2@host"
	l := goldenLines()
	l.Each = func(yield func(rejectsfile.Line) error) error {
		return yield(rejectsfile.Line{Number: 1, Reject: record.Reject{
			Key: uri, Kind: record.KV, User: 94490510688792576, Field: uri, HasField: true, Reason: record.TooDeep, Detail: "of " + uri,
		}})
	}
	restored := Restoration{Values: []RestoredValue{{Line: 1, Kind: record.KV, Field: uri, HasField: true}}}
	var b bytes.Buffer
	if err := errors.Join(l.WriteText(&b, ui.Style{Width: 80}), l.WriteJSON(&b), restored.WriteJSON(&b)); err != nil {
		t.Fatal(err)
	}
	b.WriteString(restored.Text(ui.Style{Width: 80}))
	if got := b.String(); strings.Contains(got, "hunter2") || strings.Count(got, "redis://") != 8 {
		t.Error(got)
	}
}
