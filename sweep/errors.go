package sweep

import (
	"errors"
	"fmt"
	"strings"

	"github.com/lanyardctl/lanyardctl/record"
)

// Errors of [Job.Run] and [UndoJob.Run].
var (
	ErrUnknown  = errors.New("no such sweep")
	ErrUndone   = errors.New("the sweep was taken back already")
	ErrTempFile = errors.New("sort in a temporary file")
)

// AmbiguousError says that several sweeps have an ID with the given beginning.
type AmbiguousError struct {
	Beginning string
	Sweeps    []record.Sweep // the newest first
}

// mostNamed is how many sweeps an error names.
const mostNamed = 10

func (e *AmbiguousError) Error() string {
	var ids []string
	for i, s := range e.Sweeps {
		if i == mostNamed {
			ids = append(ids, "…")
			break
		}
		ids = append(ids, s.ID)
	}
	return fmt.Sprintf("the IDs of %d sweeps begin with %s: %s", len(e.Sweeps), e.Beginning, strings.Join(ids, ", "))
}
