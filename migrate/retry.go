package migrate

import (
	"context"
	"errors"

	"github.com/lanyardctl/lanyardctl/internal/retry"
	"github.com/lanyardctl/lanyardctl/record"
)

// retrying is a sink that tries again where the server was unavailable. Only this layer does.
type retrying struct {
	record.Sink
	retry retry.Policy
}

// awayError is an error of a target that stayed away.
type awayError struct{ error }

func (e awayError) Unwrap() error { return e.error }

func (s retrying) do(ctx context.Context, call func() error) error {
	err := s.retry.Do(ctx, call)
	if errors.Is(err, record.ErrUnavailable) {
		return awayError{err}
	}
	return err
}

// Write implements [record.Sink].
func (s retrying) Write(ctx context.Context, batch []record.Record, keep record.ArchiveFunc) (outcomes []record.Outcome, err error) {
	err = s.do(ctx, func() error {
		outcomes, err = s.Sink.Write(ctx, batch, keep)
		return err
	})
	return outcomes, err
}

// Begin implements [record.Sink].
func (s retrying) Begin(ctx context.Context, keep record.ArchiveFunc) error {
	return s.do(ctx, func() error { return s.Sink.Begin(ctx, keep) })
}

// Finish implements [record.Sink].
func (s retrying) Finish(ctx context.Context, keep record.ArchiveFunc) error {
	return s.do(ctx, func() error { return s.Sink.Finish(ctx, keep) })
}
