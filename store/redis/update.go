package redis

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync/atomic"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"github.com/lanyardctl/lanyardctl/internal/retry"
	"github.com/lanyardctl/lanyardctl/record"
)

// contendFor is up to how long a change is decided anew because others keep changing what it was decided by.
const contendFor = 10 * time.Second

// errOvertaken tells that somebody else has changed what a change was decided by.
var errOvertaken = errors.New("overtaken")

// ownError is an error that comes back as it is.
type ownError struct{ error }

// writes queues the commands of a change.
type writes func(context.Context, goredis.Pipeliner)

// step is a change that is made as a whole, and only if the keys, which are in one slot of a Cluster, still hold what
// decide saw.
type step struct {
	keys []string

	// decide returns what is to be written, nil for nothing. It looks at the keys by held. It may be asked again.
	decide func(ctx context.Context, held lookups) (writes, error)
}

// seen returns errOvertaken where what decided that nothing is to be written, also for an error of its own, may be of
// several moments: keys are looked at one after the other.
func (c step) seen(ctx context.Context, tx *goredis.Tx, err error) error {
	if len(c.keys) == 1 || err != nil && !errors.As(err, new(ownError)) {
		return nil
	}
	_, failed := tx.TxPipelined(ctx, func(pipe goredis.Pipeliner) error {
		pipe.Exists(ctx, c.keys[0])
		return nil
	})
	switch {
	case errors.Is(failed, goredis.TxFailedErr):
		return errOvertaken
	case err != nil:
		return nil
	}
	return failed
}

// update makes the change and reports whether something was written. A change whose fate is unknown is decided anew by
// what is there then, so it is safe to make it again.
func (s *Store) update(ctx context.Context, what string, change step) (wrote bool, err error) {
	defer context.AfterFunc(ctx, s.connections.cut)()
	select {
	case s.changing <- struct{}{}:
		defer func() { <-s.changing }()
	case <-ctx.Done():
		return false, s.failed(ctx, what, ctx.Err())
	}
	unsure := false // something was sent, and the answer was lost
	attempt := func() error {
		answered := s.patience()
		err := s.reads.Watch(ctx, func(tx *goredis.Tx) error {
			_ = answered(nil)
			write, err := change.decide(ctx, s.within(tx))
			if err != nil || write == nil {
				wrote = err == nil && unsure
				return cmp.Or(change.seen(ctx, tx, err), err)
			}
			answered := s.patience()
			cmds, err := tx.TxPipelined(ctx, func(pipe goredis.Pipeliner) error {
				write(ctx, pipe)
				return nil
			})
			var refused goredis.Error
			switch err := answered(err); {
			case err == nil:
				wrote = true
				return nil
			case errors.Is(err, goredis.TxFailedErr):
				return errOvertaken
			case !errors.As(err, &refused):
				unsure = true
			}
			said := make([]error, len(cmds))
			for i, cmd := range cmds {
				said[i] = cmd.Err()
			}
			return answered(refusalOf(said, err))
		}, change.keys...)
		return answered(err)
	}
	if err := s.insist(ctx, what, attempt); err != nil {
		return false, err
	}
	return wrote, nil
}

// insist makes the attempt again while it is overtaken, and where the server may take it a little later. An [ownError] comes
// back as it is.
func (s *Store) insist(ctx context.Context, what string, attempt func() error) error {
	persistent := retry.Policy{For: s.retryFor, Temporary: s.mayPass, Notify: func(err error, wait, left time.Duration) {
		retry.Notice(s.name(), s.notify)(errors.New(plain(err)), wait, left)
	}}
	err := persistent.Do(ctx, func() error { return s.contend(ctx, func() error { return s.afresh(ctx, attempt) }) })
	var own ownError // without what it wraps, which may be another server's
	switch {
	case err == nil:
		return nil
	case errors.As(err, &own):
		return own.error
	case errors.Is(err, record.ErrContended):
		return fmt.Errorf("%s: %w", what, record.ErrContended)
	}
	return s.failed(ctx, what, err)
}

// contend makes the call again while it is overtaken.
func (s *Store) contend(ctx context.Context, call func() error) error {
	policy := retry.Policy{
		Backoff: 2 * time.Millisecond, For: min(contendFor, s.retryFor),
		Temporary: func(err error) bool { return err == errOvertaken },
	}
	err := policy.Do(ctx, call)
	if errors.Is(err, errOvertaken) && ctx.Err() == nil {
		return record.ErrContended
	}
	return err
}

// again makes changes that consist of several again while they are overtaken.
func (s *Store) again(ctx context.Context, what string, changes func() error) error {
	err := s.contend(ctx, changes)
	if err == record.ErrContended {
		return fmt.Errorf("%s: %w", what, err)
	}
	return err
}

// mayPass reports whether the same change may succeed a little later. Where there are other servers, one that has become a
// replica gives way to its master.
func (s *Store) mayPass(err error) bool {
	if errors.Is(err, record.ErrGivenUp) {
		return false
	}
	return temporary(err) || s.info.Mode != Standalone && reasonOf(err) == ErrReadOnly
}

// updateAll makes the changes: at once where one server holds all keys, else one after the other.
func (s *Store) updateAll(ctx context.Context, what string, steps []step) error {
	if s.single && len(steps) > 1 {
		steps = []step{together(steps)}
	}
	for _, change := range steps {
		if _, err := s.update(ctx, what, change); err != nil {
			return err
		}
	}
	return nil
}

// together returns the steps as one.
func together(steps []step) step {
	var all step
	for _, one := range steps {
		all.keys = append(all.keys, one.keys...)
	}
	all.decide = func(ctx context.Context, held lookups) (writes, error) {
		var list []writes
		for _, one := range steps {
			write, err := one.decide(ctx, held)
			if err != nil {
				return nil, err
			}
			if write != nil {
				list = append(list, write)
			}
		}
		if list == nil {
			return nil, nil
		}
		return func(ctx context.Context, pipe goredis.Pipeliner) {
			for _, write := range list {
				write(ctx, pipe)
			}
		}, nil
	}
	return all
}

// within returns lookups by the connection of a transaction. They are not tried again by themselves: what is watched is
// over with the connection.
func (s *Store) within(tx *goredis.Tx) lookups {
	return lookups{s, func(ctx context.Context, _ string, b *batch) error {
		answered := s.patience()
		return answered(b.through(ctx, tx.Pipeline()))
	}}
}

// patience begins to wait for an answer: somebody is told where that takes long, and where it takes as long as the store
// tries, the connections are cut. The caller says what came of it, and gets it back: a timeout where they were cut.
func (s *Store) patience() (answered func(error) error) {
	wait := s.beginWait()
	var cut atomic.Bool
	timer := time.AfterFunc(s.retryFor, func() {
		cut.Store(true)
		s.connections.cut()
	})
	return func(err error) error {
		timer.Stop()
		wait.end()
		if err != nil && cut.Load() {
			return os.ErrDeadlineExceeded
		}
		return err
	}
}

// refusalOf returns why a transaction was refused: what the server said to one of its commands, or to EXEC of what it
// would have said to one.
func refusalOf(said []error, err error) error {
	for _, e := range said {
		if e != nil && !goredis.IsExecAbortError(e) {
			err = e
			break
		}
	}
	if goredis.IsExecAbortError(err) {
		if _, why, ok := strings.Cut(err.Error(), "because of: "); ok {
			return refusal(why)
		}
	}
	return err
}
