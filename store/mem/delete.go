package mem

import (
	"context"

	"github.com/lanyardctl/lanyardctl/record"
)

// Delete implements [record.Deleter].
func (s *Store) Delete(ctx context.Context, documents []record.Document, keep record.ArchiveFunc) ([]record.Deletion, error) {
	if err := record.CheckDeletable(documents); err != nil {
		return nil, err
	}
	deletions := make([]record.Deletion, len(documents))
	var kept []record.Superseded
	for i, was := range documents {
		if deletions[i] = s.delete(was, true); deletions[i] == record.DeletionDone {
			kept = append(kept, was.Superseded()...)
		}
	}
	if s.opts.DryRun {
		return deletions, ctx.Err()
	}
	if len(kept) > 0 {
		if err := keep(kept); err != nil {
			return nil, err
		}
	}
	for i, was := range documents {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		if deletions[i] == record.DeletionDone {
			deletions[i] = s.delete(was, false)
		}
	}
	return deletions, nil
}

// delete deletes a document, or only tells what would become of it.
func (s *Store) delete(was record.Document, tell bool) record.Deletion {
	s.mu.Lock()
	defer s.mu.Unlock()
	doc, found := s.documents[was.Kind][was.Identity()]
	switch {
	case !found:
		return record.DeletionAbsent
	case !was.Holds(doc.held(was.Kind, was.Identity())):
		return record.DeletionModified
	case !tell:
		delete(s.documents[was.Kind], was.Identity())
	}
	return record.DeletionDone
}
