package ui

import (
	"bytes"
	"io"
	"os"
	"testing"
)

func TestMarksThatATerminalMayNotHaveBecomeASCII(t *testing.T) {
	const text = "2026 → 2022, lnyd_…4096, ü\xe2\x86"
	for size := 1; size <= len(text); size++ {
		var out bytes.Buffer
		w := &asciiWriter{out: &out}
		for from := 0; from < len(text); from += size {
			piece := text[from:min(from+size, len(text))]
			if n, err := io.WriteString(w, piece); n != len(piece) || err != nil {
				t.Fatalf("%d of %q, %v", n, piece, err)
			}
		}
		if want := "2026 -> 2022, lnyd_...4096, ü"; out.String() != want {
			t.Errorf("in pieces of %d: %q, want %q", size, out.String(), want)
		}
	}
}

func TestOnlyATerminalHasItsOwnMarks(t *testing.T) {
	file, err := os.CreateTemp(t.TempDir(), "")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	for _, w := range []io.Writer{file, io.Discard} {
		if InEncoding(w, variables("LANG", "C")) != w {
			t.Errorf("%T gets other marks", w)
		}
	}
}
