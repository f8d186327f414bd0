package migrate

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestAFileThatCannotBeWrittenIsNamedOnce has the disk fail by a file that is closed. What is told a second time, as where the progress
// cannot be saved behind it, is the same error.
func TestAFileThatCannotBeWrittenIsNamedOnce(t *testing.T) {
	l := &ndjsonFile{path: filepath.Join(t.TempDir(), "rejects.ndjson")}
	if err := errors.Join(l.add("first"), l.flush(), l.file.Close(), l.add("second")); err != nil {
		t.Fatal(err)
	}
	err := l.flush()
	if !errors.Is(err, os.ErrClosed) || strings.Count(err.Error(), l.path) != 1 {
		t.Errorf("%v", err)
	}
	if again := l.flush(); again != err {
		t.Errorf("%v, and then %v", err, again)
	}
}
