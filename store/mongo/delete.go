package mongo

import (
	"context"
	"fmt"
	"slices"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/lanyardctl/lanyardctl/record"
)

// Delete implements [record.Deleter]. A document that was read whole goes by a statement that is guarded by all that it
// held then; FerretDB takes no such guard, and somebody else's write in between is lost there.
func (s *Sink) Delete(
	ctx context.Context, documents []record.Document, keep record.ArchiveFunc,
) ([]record.Deletion, error) {
	if err := record.CheckDeletable(documents); err != nil {
		return nil, err
	}
	deletions := make([]record.Deletion, len(documents))
	var steps []record.Step
	var of []int // indexes of the steps' documents
	var kept []record.Superseded
	for kind, indexes := range byKind(documents) {
		found, err := s.stillHeld(ctx, kind, documents, indexes, deletions)
		if err != nil {
			return nil, err
		}
		for _, i := range indexes {
			if doc, ok := found[i]; ok {
				steps, of = append(steps, record.Step{Collection: record.CollectionOf(kind), ID: idOf(doc), Before: doc}), append(of, i)
				kept = append(kept, documents[i].Superseded()...)
			}
		}
	}
	if s.opts.DryRun || len(steps) == 0 {
		return deletions, nil
	}
	if len(kept) > 0 { // of an empty document nothing is
		if err := keep(kept); err != nil {
			return nil, err
		}
	}
	results, err := s.Documents().Apply(ctx, steps)
	if err != nil {
		return nil, err
	}
	for n, result := range results {
		switch result {
		case record.StepDone, record.StepNoop:
		case record.StepModified:
			deletions[of[n]] = record.DeletionModified
		default:
			return nil, fmt.Errorf("%s does not delete a document of %s", s.limits.Server, steps[n].Collection)
		}
	}
	return deletions, nil
}

func byKind(documents []record.Document) map[record.Kind][]int {
	indexes := make(map[record.Kind][]int)
	for i, d := range documents {
		indexes[d.Kind] = append(indexes[d.Kind], i)
	}
	return indexes
}

// stillHeld returns those of a kind's documents, by index, that still hold what was read, whole, and enters what becomes
// of the others. Of a user with several documents it is one that does.
func (s *Sink) stillHeld(
	ctx context.Context, kind record.Kind, documents []record.Document, indexes []int, deletions []record.Deletion,
) (map[int]bson.Raw, error) {
	byUser := make(map[record.UserID]int, len(indexes))
	users := make([]record.UserID, len(indexes))
	for n, i := range indexes {
		users[n] = documents[i].User
		byUser[users[n]] = i
		deletions[i] = record.DeletionAbsent
	}
	found := make(map[int]bson.Raw, len(indexes))
	for doc, err := range s.documentsOf(ctx, collectionName(kind), users, nil) {
		if err != nil {
			return nil, s.wrap("read back from "+collectionName(kind), err)
		}
		is := documentOf(kind, doc)
		i := byUser[is.User]
		switch {
		case documents[i].Holds(is.Held):
			found[i], deletions[i] = slices.Clone(doc), record.DeletionDone
		case found[i] == nil:
			deletions[i] = record.DeletionModified
		}
	}
	return found, nil
}
