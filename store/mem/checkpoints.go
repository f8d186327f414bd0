package mem

import (
	"context"
	"strconv"

	"github.com/lanyardctl/lanyardctl/record"
)

// Find implements [record.Checkpoints].
func (s *Store) Find(_ context.Context, scope string) ([]record.Checkpoint, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var found []record.Checkpoint
	for _, c := range s.checkpoints {
		if c.Scope == scope {
			found = append(found, c)
		}
	}
	return found, nil
}

// Save implements [record.Checkpoints].
func (s *Store) Save(_ context.Context, c record.Checkpoint, from record.Owner) (bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if before, exists := s.checkpoints[c.ID]; exists && before.Owner != from {
		return false, nil
	}
	s.checkpoints[c.ID] = c
	return true, nil
}

// Remove implements [record.Checkpoints].
func (s *Store) Remove(_ context.Context, id string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.checkpoints, id)
	return nil
}

// Target implements [record.Checkpoints].
func (s *Store) Target(context.Context) (map[string]string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	target := make(map[string]string)
	for k, documents := range s.documents {
		if len(documents) > 0 {
			target[record.Kind(k).String()] = strconv.Itoa(s.generation)
		}
	}
	return target, nil
}

// Checkpoints returns all checkpoints, in no order.
func (s *Store) Checkpoints() []record.Checkpoint {
	s.mu.Lock()
	defer s.mu.Unlock()
	var all []record.Checkpoint
	for _, c := range s.checkpoints {
		all = append(all, c)
	}
	return all
}
