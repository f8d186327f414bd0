package sweep

import (
	"bytes"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/lanyardctl/lanyardctl/record"
)

// TestSortedIsSorted sorts in memory, in a few runs, and in more than are merged at a time.
func TestSortedIsSorted(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	rapid.Check(t, func(rt *rapid.T) {
		list := rapid.SliceOfN(rapid.SliceOfN(rapid.Byte(), 0, 12), 0, 400).Draw(rt, "list")
		s := newSorter(dir, rapid.IntRange(1, 4000).Draw(rt, "memory"))
		for _, b := range list {
			if err := s.add(b); err != nil {
				rt.Fatal(err)
			}
		}
		if left, err := os.ReadDir(dir); err != nil || len(left) > 0 && runtime.GOOS == "linux" {
			rt.Fatalf("%v, %v: would be left behind by a process that is killed", left, err)
		}
		var got [][]byte
		err := s.sorted(func(b []byte) error {
			got = append(got, bytes.Clone(b))
			return nil
		})
		if err != nil {
			rt.Fatal(err)
		}
		if err := s.close(); err != nil {
			rt.Fatal(err)
		}
		slices.SortFunc(list, bytes.Compare)
		if !slices.EqualFunc(list, got, bytes.Equal) {
			rt.Fatalf("%q, want %q", got, list)
		}
		if s.count != int64(len(list)) {
			rt.Fatalf("%d of %d", s.count, len(list))
		}
	})
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

func TestSortingFailsWithoutItsFolder(t *testing.T) {
	t.Parallel()
	s := newSorter(filepath.Join(t.TempDir(), "no"), 10)
	var err error
	for i := 0; i < 10 && err == nil; i++ {
		err = s.add([]byte("a string"))
	}
	if err == nil {
		t.Error("sorted in a folder that does not exist")
	}
	if err := s.close(); err != nil {
		t.Error(err)
	}
}

// TestEntriesAreReadBack also checks that their encodings sort by user, group and document.
func TestEntriesAreReadBack(t *testing.T) {
	t.Parallel()
	one := rapid.Custom(func(t *rapid.T) entry {
		e := entry{
			user:      record.UserID(rapid.Uint64().Draw(t, "user")),
			group:     rapid.Uint16().Draw(t, "group"),
			id:        rapid.String().Draw(t, "id"),
			flags:     rapid.Byte().Draw(t, "flags"),
			canonical: rapid.Int64().Draw(t, "right"),
		}
		for range rapid.IntRange(0, 3).Draw(t, "finds") {
			e.dates = append(e.dates, foundDate{rapid.Uint16().Draw(t, "place"), rapid.Uint16().Draw(t, "fault"), rapid.Int64().Draw(t, "date")})
		}
		return e
	})
	rapid.Check(t, func(t *rapid.T) {
		a, b := one.Draw(t, "a"), one.Draw(t, "b")
		encoded := a.append(nil)
		var read entry
		read.decode(encoded)
		if diff := cmp.Diff(a, read, cmp.AllowUnexported(entry{}, foundDate{})); diff != "" {
			t.Fatal(diff)
		}
		if a.user != b.user && (a.user < b.user) != (bytes.Compare(encoded, b.append(nil)) < 0) {
			t.Fatal("not in the order of users")
		}
	})
}
