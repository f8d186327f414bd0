package mongo

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/lanyardctl/lanyardctl/record"
)

// commandTimeout bounds one command, so that a server that hangs is noticed.
const commandTimeout = 2 * time.Minute

// insert inserts the records' new documents, and returns the records that stand in the target already.
func (w *writing) insert(ctx context.Context, indexes []int, documents map[int]bson.Raw) (duplicates []int, err error) {
	err = w.halving(ctx, indexes, func(ctx context.Context, indexes []int) error {
		batch := make([]bson.Raw, len(indexes))
		for n, i := range indexes {
			batch[n] = documents[i]
		}
		duplicatesHere, err := w.insertOnce(ctx, indexes, batch)
		if err == nil {
			duplicates = append(duplicates, duplicatesHere...)
		}
		return err
	})
	return duplicates, err
}

func (w *writing) insertOnce(ctx context.Context, indexes []int, documents []bson.Raw) (duplicates []int, err error) {
	ctx, cancel := context.WithTimeout(ctx, commandTimeout)
	defer cancel()
	_, err = w.collection(w.kind).InsertMany(ctx, documents, options.InsertMany().SetOrdered(false))
	failed, err := writeErrors(err)
	if err != nil {
		return nil, err
	}
	for _, i := range indexes {
		w.outcomes[i].Column = record.Inserted
	}
	for _, e := range failed {
		i := indexes[e.Index]
		if e.Code == codeDuplicateKey {
			w.outcomes[i] = record.Outcome{}
			duplicates = append(duplicates, i)
			continue
		}
		w.refuse(i, e.Code, codeName(e.WriteError))
	}
	return duplicates, nil
}

// writeErrors returns the errors that belong to single documents of a bulk command: duplicates, and documents that the
// server refuses. Any other failure is the command's own, for which no document is to blame.
func writeErrors(err error) ([]mongo.BulkWriteError, error) {
	var failed mongo.BulkWriteException
	if err == nil || !errors.As(err, &failed) {
		return nil, err
	}
	if failed.WriteConcernError != nil {
		// It was written, but perhaps not to a majority; writing it again waits for that.
		return nil, fmt.Errorf("%w: %w", record.ErrUnavailable, scrub(err))
	}
	for _, e := range failed.WriteErrors {
		switch {
		case e.Code == codeDuplicateKey || aboutDocument[int32(e.Code)] && !isBusy(err):
		case isUnavailable(err) || isBusy(err):
			return nil, fmt.Errorf("%w: %w", record.ErrUnavailable, scrub(err))
		default:
			return nil, err
		}
	}
	return failed.WriteErrors, nil
}

// codeName returns the server's name of an error's code, where it tells one.
func codeName(e mongo.WriteError) string {
	name, _ := lookup(e.Raw, "codeName").StringValueOK()
	return name
}

// attemptsAlone is how often a document that fails by itself is tried while the server answers in between.
const attemptsAlone = 3

// manyRefused is from how many records on a server that refuses every single one is what is wrong, not they: a full disk
// looks like that.
const manyRefused = 10

// halving calls write with all the records, and where that fails though the server answers a ping, with each half of
// them at once, until the one record that fails alone is found; that one is rejected. It returns an error where the
// server, and no document, is to blame.
func (w *writing) halving(ctx context.Context, indexes []int, write func(context.Context, []int) error) error {
	refused, err := w.halve(ctx, indexes, write)
	if err == nil && len(refused) == len(indexes) && len(indexes) >= manyRefused {
		return w.wrap("write to "+collectionName(w.kind), fmt.Errorf("the server refuses every document: %w", refused[0]))
	}
	return err
}

// halve returns why records were rejected one by one.
func (w *writing) halve(ctx context.Context, indexes []int, write func(context.Context, []int) error) (refused []error, err error) {
	err = write(ctx, indexes)
	for attempt := 1; err != nil && len(indexes) == 1 && attempt < attemptsAlone && w.documentToBlame(ctx, err); attempt++ {
		err = write(ctx, indexes)
	}
	if err == nil {
		return nil, nil
	}
	if !w.documentToBlame(ctx, err) {
		return nil, w.wrap("write to "+collectionName(w.kind), err)
	}
	if len(indexes) == 1 {
		code, name := 0, ""
		var cmd mongo.CommandError
		if errors.As(err, &cmd) {
			code, name = int(cmd.Code), cmd.Name
		}
		w.refuse(indexes[0], code, name)
		return []error{err}, nil
	}
	half := len(indexes) / 2
	first, err := w.halve(ctx, indexes[:half], write)
	if err != nil {
		return nil, err
	}
	second, err := w.halve(ctx, indexes[half:], write)
	return append(first, second...), err
}

// documentToBlame reports whether a failed command may have failed for a document in it: the server names such a
// reason, or it dropped the connection and answers on another one.
func (s *Store) documentToBlame(ctx context.Context, err error) bool {
	var cmd mongo.CommandError
	switch {
	case ctx.Err() != nil || mongo.IsTimeout(err) || errors.Is(err, record.ErrUnavailable) || isBusy(err):
		return false
	case errors.As(err, new(mongo.BulkWriteException)):
		return false // it names its documents
	case mongo.IsNetworkError(err):
		return s.ping(ctx) == nil
	case errors.As(err, &cmd):
		return aboutDocument[cmd.Code]
	}
	// The driver itself could not send it.
	return s.ping(ctx) == nil
}

func (s *Store) ping(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, DefaultTimeout)
	defer cancel()
	return s.client.Ping(ctx, nil)
}
