package discord_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/lanyardctl/lanyardctl/record"
	"github.com/lanyardctl/lanyardctl/store/discord"
)

func put(t testing.TB, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "members.json")
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// readFile returns what a file says, in its own order.
func readFile(ctx context.Context, path string) (all []record.DateValue, err error) {
	m, err := discord.OpenMembers(path)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, m.Close()) }()
	for range 2 {
		all = nil
		err = m.Values(ctx, func(values []record.DateValue) error {
			all = append(all, values...)
			return nil
		})
	}
	return all, err
}

func TestAFileIsAnArrayOrAMemberALine(t *testing.T) {
	one := record.DateValue{User: 94490510688792576, Has: true, Value: "2022-10-01T16:22:06.123000+00:00"}
	two := record.DateValue{User: 268473310986240001}
	const a = `{"user": {"id": "94490510688792576", "username": "x"}, "joined_at": "2022-10-01T16:22:06.123000+00:00", "roles": ["1"]}`
	const b = `{"joined_at": null, "user": {"id": 268473310986240001}}`
	for rule, content := range map[string]string{
		"an array":                  "[" + a + "," + b + "]",
		"an array with blanks":      "\r\n\t [\n" + a + " ,\n\n" + b + " ] \n\n",
		"a member a line":           a + "\n" + b + "\n",
		"lines of Windows":          a + "\r\n" + b + "\r\n",
		"blanks at the end of them": a + "  \t\n\n\n " + b + "   ",
		"members without lines":     a + b,
		"a mark of its encoding":    "\xef\xbb\xbf" + a + "\n" + b,
		"the mark before an array":  "\xef\xbb\xbf [" + a + "," + b + "]",
	} {
		got, err := readFile(t.Context(), put(t, content))
		if d := cmp.Diff([]record.DateValue{one, two}, got); err != nil || d != "" {
			t.Errorf("%s: %v\n%s", rule, err, d)
		}
	}
	if got, err := readFile(t.Context(), put(t, " [ ]\n")); err != nil || len(got) > 0 {
		t.Errorf("an empty array: %v, %v", got, err)
	}
}

func TestAMemberSaysWhenItJoined(t *testing.T) {
	for content, want := range map[string]record.DateValue{
		`{"user": {"id": "1"}}`: {User: 1},
		`{"user": {"id": 9007199254740993}, "joined_at": 1664641326}`: {User: 9007199254740993, Has: true, Value: int64(1664641326)},
		`{"user": {"id": 18446744073709551615}, "joined_at": 1.5}`:    {User: 18446744073709551615, Has: true, Value: 1.5},
		`{"user": {"id": 9.007199254740993e15}, "joined_at": ""}`:     {Name: "9.007199254740993e15", Has: true, Value: ""},
		`{"user": {"id": -1}, "joined_at": true}`:                     {Name: "-1", Has: true, Value: true},
		`{"user": {"id": "007"}, "joined_at": ["2022"]}`:              {Name: "007", Has: true, Value: []any{"2022"}},
		`{"user": {"id": null}}`:                                      {Name: "no user"},
		`{"user": "1", "joined_at": "2022-10-01"}`:                    {Name: "no user", Has: true, Value: "2022-10-01"},
		`{}`:                                   {Name: "no user"},
		`{"members": 5}`:                       {Name: "no user"},
		`{"user": {"id": "1"}, "members": []}`: {User: 1},
	} {
		got, err := readFile(t.Context(), put(t, `{"user": {"id": "5"}}`+content))
		if d := cmp.Diff([]record.DateValue{{User: 5}, want}, got); err != nil || d != "" {
			t.Errorf("%s: %v\n%s", content, err, d)
		}
	}
}

func TestAFileThatIsNoListOfMembersSaysWhere(t *testing.T) {
	const member = `{"user": {"id": "1"}}`
	for _, tc := range []struct{ content, want string }{
		{`{"t": {"$date": "2026-11-24T20:00:00Z"}, "s": "I"}` + "\n" + `{"t": 1, "user": null}`, "none of its entries (2) has a user with an id"},
		{"[{}]", "none of its entries (1) has a user with an id"},
		{`{"user": "1", "joined_at": "2022-10-01"}`, "none of its entries (1) has a user with an id"},
		{"", "nothing stands in it"},
		{" \n\t", "nothing stands in it"},
		{"\xef\xbb\xbf", "nothing stands in it"},
		{"\xff\xfe[\x00]\x00", "UTF-16"},
		{"id,joined_at\n", "byte 0 begins neither"},
		{"\n\n  \"x\"", "byte 4 begins neither"},
		{`{"members": [` + member + `]}`, "keep their array alone"},
		{`{"a": 1, "members": [` + member, "entry 1, after byte 0, is not complete"},
		{"[" + member, "entry 2, after byte 22, is not complete"},
		{"[" + member + ",", "entry 2, after byte 23, is not complete"},
		{"[" + member + ",]", "entry 2, after byte 23, is not JSON"},
		{"[" + member + " " + member + "]", "entry 2, after byte 23, is not JSON"},
		{"[" + member + "]x", "something follows the array, which ends at byte 23"},
		{"[" + member + "][", "something follows the array, which ends at byte 23"},
		{"[" + member + ", 7]", "entry 2, which ends at byte 25, is no object"},
		{"[null]", "entry 1, which ends at byte 5, is no object"},
		{member + "\n" + member[:9], "entry 2, after byte 21, is not complete"},
		{member + "\n[]", "entry 2, which ends at byte 24, is no object"},
		{member + "\n{'user': 1}", "entry 2, after byte 21, is not JSON"},
		{"\xef\xbb\xbf" + member + "\nsecret", "entry 2, after byte 24, is not JSON"},
		{"[" + member + `,{"a": "` + strings.Repeat("x", 2<<20) + `"}]`, "entry 2, after byte 23, is longer"},
		{`{"a": "` + strings.Repeat("x", 2<<20) + `"}`, "entry 1, after byte 0, is longer"},
	} {
		path := put(t, tc.content)
		_, err := readFile(t.Context(), path)
		shown := tc.content[:min(len(tc.content), 60)]
		var typed *discord.Error
		if !errors.Is(err, discord.ErrNotMembers) || !errors.As(err, &typed) || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%q: %v, want %q", shown, err, tc.want)
			continue
		}
		if !strings.HasPrefix(err.Error(), "read the members in "+path+": ") || strings.Contains(err.Error(), "secret") {
			t.Errorf("%q: %v", shown, err)
		}
	}
}

func TestAFileThatCannotBeOpenedIsNamed(t *testing.T) {
	missing := filepath.Join(t.TempDir(), "a\x1bb")
	for path, want := range map[string]string{missing: `a\x1bb": no such file`, t.TempDir(): ": is a directory"} {
		if _, err := discord.OpenMembers(path); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
	if _, err := discord.OpenMembers(missing); !errors.Is(err, fs.ErrNotExist) {
		t.Error(err)
	}
}

func TestAFileGoesOutInPieces(t *testing.T) {
	m, err := discord.OpenMembers(put(t, strings.Repeat(`{"user": {"id": "1"}}`+"\n", 1234)))
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	count, calls := 0, 0
	if err := m.Values(t.Context(), func(c []record.DateValue) error { count += len(c); calls++; return nil }); err != nil || count != 1234 || calls != 3 {
		t.Errorf("%d values in %d pieces, %v", count, calls, err)
	}
	stop := errors.New("stop")
	if err := m.Values(t.Context(), func([]record.DateValue) error { return stop }); err != stop {
		t.Error(err)
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	if err := m.Values(ctx, func([]record.DateValue) error { cancel(stop); return nil }); !errors.Is(err, stop) {
		t.Error(err)
	}
	if places := m.Places(); len(places) != 1 || places[0] != (record.DatePlace{Name: "members"}) {
		t.Error(places)
	}
}

// TestALongFileTakesLittleMemory reads a pipe, of which nothing can be read twice either.
func TestALongFileTakesLittleMemory(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	if runtime.GOOS != "linux" {
		t.Skip("a pipe has no path here")
	}
	const entries = 60_000
	go func() {
		defer w.Close()
		line := []byte(`{"user": {"id": "94490510688792576"}, "joined_at": "2022-10-01T16:22:06Z", "nick": "` + strings.Repeat("n", 100) + `"}` + "\n")
		for range entries {
			if _, err := w.Write(line); err != nil {
				return
			}
		}
	}()
	m, err := discord.OpenMembers(fmt.Sprintf("/proc/self/fd/%d", r.Fd()))
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	count, highest := 0, uint64(0)
	err = m.Values(t.Context(), func(c []record.DateValue) error {
		if count += len(c); count%20_000 == 0 {
			runtime.GC()
			var stats runtime.MemStats
			runtime.ReadMemStats(&stats)
			highest = max(highest, stats.HeapAlloc)
		}
		return nil
	})
	if err != nil || count != entries {
		t.Errorf("%d members, %v", count, err)
	}
	if highest > 16<<20 {
		t.Errorf("%d bytes in use", highest)
	}
	if err := m.Values(t.Context(), nil); err == nil {
		t.Error("a pipe was read twice")
	}
}

// FuzzMembers reads any file: an error is one of the package's, and what is read is the same for an array and for lines.
func FuzzMembers(f *testing.F) {
	f.Add([]byte(`{"user": {"id": "1"}, "joined_at": "2022-10-01T16:22:06Z"}`))
	f.Add([]byte(`{"user": {"id": 9007199254740993}, "joined_at": 1e3} {}`))
	f.Fuzz(func(t *testing.T, content []byte) {
		path := filepath.Join(t.TempDir(), "members")
		write := func(text string) ([]record.DateValue, error) {
			if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
			values, err := readFile(t.Context(), path)
			var typed *discord.Error
			if err != nil && (!errors.As(err, &typed) || typed.Reason != discord.ErrNotMembers) {
				t.Errorf("an error of no type: %v", err)
			}
			for _, c := range values {
				if c.User != 0 && c.Name != "" || !c.Has && c.Value != nil {
					t.Errorf("a value that contradicts itself: %+v", c)
				}
				_, _, _ = record.Timestamp(record.MonitoringSince, c.Value, record.Bounds{})
			}
			return values, err
		}
		text := string(content)
		if _, err := write(text); err != nil || strings.Contains(text, "[") {
			return
		}
		single, err := write(text)
		if len(single) != 1 || err != nil {
			return
		}
		for form, twice := range map[string]string{"an array": "[" + text + "," + text + "]", "lines": text + "\n" + text} {
			if strings.HasPrefix(text, "\xef\xbb\xbf") {
				continue // the mark stands at the beginning alone
			}
			both, err := write(twice)
			if d := cmp.Diff([]record.DateValue{single[0], single[0]}, both); err != nil || d != "" {
				t.Errorf("%s: %v\n%s", form, err, d)
			}
		}
	})
}
