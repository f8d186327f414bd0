package migrate

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/lanyardctl/lanyardctl/internal/retry"
	"github.com/lanyardctl/lanyardctl/record"
)

// checkpointer saves a run's checkpoints. A nil checkpointer saves nothing.
type checkpointer struct {
	store   record.Checkpoints
	retry   retry.Policy
	every   time.Duration
	resumed bool
	tracker *tracker

	mu   sync.Mutex
	last record.Checkpoint
}

// errTakenOver ends a run whose checkpoint another run took, because this one gave no sign of life for too long.
var errTakenOver = errors.New("another run has gone on with this one's progress, which had not been saved for a while; let that one finish")

// position returns where a part is to be read from.
func (s *checkpointer) position(part string) string {
	if s == nil {
		return ""
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.last.Positions[part]
}

// start saves a checkpoint every now and then until the returned function is called.
func (s *checkpointer) start(ctx context.Context, group *errgroup.Group) (stop func()) {
	if s == nil {
		return func() {}
	}
	ctx, cancel := context.WithCancel(ctx)
	group.Go(func() error {
		tick := time.NewTicker(s.every)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return nil
			case <-tick.C:
			}
			err := s.save(ctx)
			// A target that is away for a moment is the writers' business.
			if err != nil && ctx.Err() == nil && !errors.Is(err, record.ErrUnavailable) {
				return fmt.Errorf("save the run's progress: %w", err)
			}
		}
	})
	return cancel
}

// save writes the checkpoint of what is committed now.
func (s *checkpointer) save(ctx context.Context) error {
	if s == nil {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	// The order matters: figures first, then the files that hold what the figures count, then the collections, which
	// exist once something in them was acknowledged.
	stats, positions := s.tracker.committed()
	if err := s.tracker.flush(); err != nil {
		return err
	}
	target, err := s.store.Target(ctx)
	if err != nil {
		return err
	}
	state, err := json.Marshal(stats)
	if err != nil {
		return fmt.Errorf("encode the run's figures: %w", err)
	}
	c := s.last
	c.Heartbeat, c.Target, c.State = time.Now(), target, state
	for name, position := range c.Positions {
		if _, known := positions[name]; !known {
			positions[name] = position // its reader has not begun
		}
	}
	c.Positions = positions
	if used, _ := s.tracker.rejects.Used(); used != "" {
		if c.RejectsFile, err = filepath.Abs(used); err != nil {
			return fmt.Errorf("find the rejects file's folder: %w", err)
		}
	}
	won, err := s.store.Save(ctx, c, c.Owner)
	if err != nil {
		return err
	}
	if !won {
		return errTakenOver
	}
	s.last = c
	return nil
}

// end removes the checkpoint: a run that came to its end is not resumed.
func (s *checkpointer) end(ctx context.Context) error {
	if s == nil {
		return nil
	}
	if err := s.retry.Do(ctx, func() error { return s.store.Remove(ctx, s.last.ID) }); err != nil {
		return fmt.Errorf("remove the run's checkpoint: %w", err)
	}
	return nil
}
