package exit

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/lanyardctl/lanyardctl/record"
)

func TestExitCodes(t *testing.T) {
	boom := errors.New("boom")
	interrupted := fmt.Errorf("scan: %w", record.ErrInterrupted)
	for name, c := range map[string]struct {
		err  error
		code int
		text string
	}{
		"nothing":                  {nil, Done, ""},
		"an error":                 {boom, Failed, "lanyardctl: boom\n"},
		"with a hint":              {Failure(boom, "duck"), Failed, "lanyardctl: boom\nhint: duck\n"},
		"wrapped":                  {fmt.Errorf("x: %w", Failure(boom, "duck")), Failed, "lanyardctl: x: boom\nhint: duck\n"},
		"usage":                    {WrongUse("boom", "duck"), Usage, "lanyardctl: boom\nhint: duck\n"},
		"usage with another hint":  {Failure(WrongUse("boom", "duck"), "run"), Usage, "lanyardctl: boom\nhint: run\n"},
		"after a report":           {Silent(Rejects), Rejects, ""},
		"from a command":           {fmt.Errorf("run: %w", Silent(Rejects)), Rejects, ""},
		"interrupted":              {interrupted, Interrupted, "lanyardctl: scan: interrupted\n"},
		"interrupted, with a hint": {Failure(interrupted, "rerun"), Interrupted, "lanyardctl: scan: interrupted\nhint: rerun\n"},
		"cancelled":                {context.Canceled, Interrupted, "lanyardctl: context canceled\n"},
	} {
		t.Run(name, func(t *testing.T) {
			var stderr strings.Builder
			if c.err != nil {
				Print(&stderr, c.err)
			}
			if code := CodeOf(c.err); code != c.code || stderr.String() != c.text {
				t.Errorf("exit %d, stderr %q; want %d, %q", code, stderr.String(), c.code, c.text)
			}
		})
	}
}
