package record_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/lanyardctl/lanyardctl/record"
)

func TestAnInterruptionSaysItOnce(t *testing.T) {
	boom := errors.New("boom")
	for name, c := range map[string]struct {
		cause error
		text  string
	}{
		"by a signal":               {record.ErrInterrupted, "interrupted"},
		"by a signal, wrapped":      {fmt.Errorf("scan: %w", record.ErrInterrupted), "scan: interrupted"},
		"by another cause":          {boom, "interrupted: boom"},
		"by whoever names no cause": {nil, "interrupted: context canceled"},
	} {
		ctx, cancel := context.WithCancelCause(t.Context())
		cancel(c.cause)
		err := record.Interruption(ctx)
		if !errors.Is(err, record.ErrInterrupted) || err.Error() != c.text || c.cause != nil && !errors.Is(err, c.cause) {
			t.Errorf("%s: %v; want %s", name, err, c.text)
		}
	}
}
