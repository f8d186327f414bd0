package rejectsfile

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/lanyardctl/lanyardctl/record"
)

var aRun = Run{ID: "RUN", Time: time.Date(2026, 4, 3, 3, 7, 30, 0, time.UTC)}

// TestAFileThatCannotBeWrittenIsNamedOnce has the disk fail by a file that is closed. What is told a second time, as
// where the progress cannot be saved behind it, is the same error.
func TestAFileThatCannotBeWrittenIsNamedOnce(t *testing.T) {
	w := NewWriter(filepath.Join(t.TempDir(), "rejects.ndjson"), aRun)
	if err := errors.Join(w.Add(record.Reject{}), w.Flush(), w.file.Close(), w.Add(record.Reject{})); err != nil {
		t.Fatal(err)
	}
	err := w.Flush()
	if !errors.Is(err, os.ErrClosed) || strings.Count(err.Error(), w.path) != 1 {
		t.Errorf("%v", err)
	}
	if again := w.Flush(); again != err {
		t.Errorf("%v, and then %v", err, again)
	}
}

// TestLinesOfEarlierRunsAreCounted appends runs of lines of all lengths, some of which hold what looks like the name of
// a run.
func TestLinesOfEarlierRunsAreCounted(t *testing.T) {
	path := filepath.Join(t.TempDir(), "rejects.ndjson")
	write := func(id string, resumed bool, keys ...string) (earlier int64) {
		t.Helper()
		w := NewWriter(path, Run{ID: id})
		if resumed {
			w.Resume(true)
		}
		for _, key := range keys {
			if err := w.Add(record.Reject{Key: key, Reason: record.TooDeep, Value: record.Raw(key)}); err != nil {
				t.Fatal(err)
			}
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		used, earlier := w.Used()
		if used != path {
			t.Errorf("used %q", used)
		}
		return earlier
	}
	long := strings.Repeat("k", 64<<10)
	if n := write("A", false, "a", long, long[:65400]); n != 0 {
		t.Errorf("%d lines before the first", n)
	}
	if n := write("B", false, `"run":"B"`, long+`"run":"A"`); n != 3 {
		t.Errorf("%d lines of A, want 3", n)
	}
	if n := write("A", true, "x"); n != 2 {
		t.Errorf("%d lines of B, want 2", n)
	}
	// A run that was killed left half a line, which stays, and damages no other.
	half, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
	if err == nil {
		_, err = half.WriteString(`{"key":"half`)
		err = errors.Join(err, half.Close())
	}
	if err != nil {
		t.Fatal(err)
	}
	if n := write("C", false, "c"); n != 7 {
		t.Errorf("%d lines before C, want 7", n)
	}
	f, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var ids []string
	for _, r := range f.Runs {
		ids = append(ids, r.ID)
	}
	if got := strings.Join(ids, ""); got != "BAC" || f.Damaged != 1 {
		t.Errorf("runs %s, %d damaged", got, f.Damaged)
	}
	if run, err := f.Run(""); err != nil || run.ID != "C" || run.Lines != 1 {
		t.Errorf("the last run is %+v, %v", run, err)
	}
	if run, err := f.Run("A"); err != nil || run.Lines != 4 {
		t.Errorf("%+v, %v", run, err)
	}
	if _, err := f.Run("D"); !errors.Is(err, ErrNoRun) {
		t.Errorf("%v", err)
	}
	var keys []string
	if err := f.Lines(Run{ID: "B"}, func(l Line) error { keys = append(keys, l.Key); return nil }); err != nil || len(keys) != 2 || keys[1] != long+`"run":"A"` {
		t.Errorf("%d lines of B, %v", len(keys), err)
	}
}

// TestALineIsKnownWhereverItIsCut has the name of the run on both sides of where a piece of the line ends that is read at
// a time.
func TestALineIsKnownWhereverItIsCut(t *testing.T) {
	const piece, own = 64 << 10, `"run":"A"`
	for cut := 1; cut < len(own); cut++ {
		path := filepath.Join(t.TempDir(), "rejects.ndjson")
		line := `{"key":"`
		line += strings.Repeat("k", piece-cut-len(line)-len(`",`)) + `",` + own + "}" // without a newline, as a killed run leaves it
		if err := os.WriteFile(path, []byte(line), 0o600); err != nil {
			t.Fatal(err)
		}
		for run, want := range map[string]int64{"A": 1, "B": 0} {
			file, err := os.Open(path)
			if err != nil {
				t.Fatal(err)
			}
			got, others, err := countLines(file, run)
			if err := errors.Join(err, file.Close()); err != nil || got != want || others != 1-want {
				t.Errorf("cut after %d bytes: run %s has %d lines, others %d; %v", cut, run, got, others, err)
			}
		}
	}
}

func TestARunIsNamedByItsIDOrItsBeginning(t *testing.T) {
	f := &File{Runs: []RunLines{{Run: Run{ID: "AB"}}, {Run: Run{ID: "ABC"}}, {Run: Run{ID: "ABD"}}, {Run: Run{ID: "B1"}}}}
	for id, want := range map[string]string{"": "B1", "AB": "AB", "B": "B1", "ABC": "ABC", "A": "", "C": ""} {
		got, err := f.Run(id)
		if got.ID != want || (want == "") != errors.Is(err, ErrNoRun) {
			t.Errorf("%q: %q, %v", id, got.ID, err)
		}
	}
}
