package record

import (
	"context"
	"errors"
	"fmt"
)

// ErrInterrupted is in the chain of the error of a run whose context was cancelled. A caller that cancels it with
// this cause gets exactly that back.
var ErrInterrupted = errors.New("interrupted")

// Interruption returns the cause for which ctx was cancelled, with [ErrInterrupted] in its chain.
func Interruption(ctx context.Context) error {
	cause := context.Cause(ctx)
	if errors.Is(cause, ErrInterrupted) {
		return cause
	}
	return fmt.Errorf("%w: %w", ErrInterrupted, cause)
}
