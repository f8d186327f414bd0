package sweep_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/lanyardctl/lanyardctl/record"
	"github.com/lanyardctl/lanyardctl/sweep"
)

func TestASweepIsNamedByItsIDItsBeginningOrAsTheLast(t *testing.T) {
	var h sweep.History
	for _, id := range []string{"20261122-0003", "20261122-0002", "20261122-00", "20261121-0001"} {
		h.Sweeps = append(h.Sweeps, record.Sweep{ID: id})
	}
	for typed, want := range map[string]string{
		"20261122-0002": "20261122-0002", "last": "20261122-0003", "20261121": "20261121-0001", "20261122-00": "20261122-00", "20261122-0003": "20261122-0003",
	} {
		if s, err := h.Find(typed); err != nil || s.ID != want {
			t.Errorf("%s: %s, %v", typed, s.ID, err)
		}
	}
	_, err := h.Find("20261122-000")
	var ambiguous *sweep.AmbiguousError
	if !errors.As(err, &ambiguous) || !strings.HasSuffix(err.Error(), ": 20261122-0003, 20261122-0002") {
		t.Errorf("%v", err)
	}
	for _, typed := range []string{"2025", "lastly", "0261121"} {
		if _, err := h.Find(typed); !errors.Is(err, sweep.ErrUnknown) || !strings.Contains(err.Error(), typed) {
			t.Errorf("%s: %v", typed, err)
		}
	}
	if _, err := (sweep.History{}).Find("last"); !errors.Is(err, sweep.ErrUnknown) {
		t.Errorf("the last of none: %v", err)
	}
}
