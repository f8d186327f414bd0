package migrate

import (
	"context"

	"github.com/lanyardctl/lanyardctl/record"
)

// retrying is a sink that tries again where the server was unavailable. Only this layer does.
type retrying struct {
	record.Sink
	retry record.Retry
}

// Write implements [record.Sink].
func (s retrying) Write(ctx context.Context, batch []record.Record, keep record.KeepFunc) (outcomes []record.Outcome, err error) {
	err = s.retry.Do(ctx, func() error {
		outcomes, err = s.Sink.Write(ctx, batch, keep)
		return err
	})
	return outcomes, err
}

// Begin implements [record.Sink].
func (s retrying) Begin(ctx context.Context, keep record.KeepFunc) error {
	return s.retry.Do(ctx, func() error { return s.Sink.Begin(ctx, keep) })
}

// Finish implements [record.Sink].
func (s retrying) Finish(ctx context.Context, keep record.KeepFunc) error {
	return s.retry.Do(ctx, func() error { return s.Sink.Finish(ctx, keep) })
}
