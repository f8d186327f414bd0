package mongo

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"go.mongodb.org/mongo-driver/v2/mongo"

	"github.com/lanyardctl/lanyardctl/record"
)

var (
	// ourIndexes are the fields whose unique indexes tell that a record's document is there already, beside _id.
	ourIndexes = allUniqueFields()

	indexInText  = regexp.MustCompile(`index: (.+?) (?:collation|dup key):`)
	ourIndexName = regexp.MustCompile(`^(_id_|(` + strings.Join(ourIndexes, "|") + `)_1(_unique)*)$`)
)

// unnamed stands for the name of an index that the server does not tell.
const unnamed = "of an unknown name"

// violated returns the unique index that a write met, and whether it is one of those by which documents are found. The
// name is empty for another error.
func violated(e mongo.WriteError) (index string, ours bool) {
	if classOf(int32(e.Code)) != duplicate {
		return "", false
	}
	index = unnamed
	if found := indexInText.FindStringSubmatch(e.Message); found != nil {
		index = found[1]
	}
	pattern, told := lookup(e.Raw, "keyPattern").DocumentOK()
	if !told { // as MongoDB does since 4.2
		return index, index == unnamed || ourIndexName.MatchString(index)
	}
	keys := elementsOf(pattern)
	return index, len(keys) == 1 && (keys[0].Key() == "_id" || slices.Contains(ourIndexes, keys[0].Key()))
}

// writeErrors returns the errors that belong to single documents of a bulk command: duplicates, and documents that the
// server refuses. Any other failure is the command's own, for which no document is to blame.
func writeErrors(err error) ([]mongo.BulkWriteError, error) {
	var failed mongo.BulkWriteException
	if err == nil || !errors.As(err, &failed) {
		return nil, err
	}
	if failed.WriteConcernError != nil {
		return nil, err
	}
	for _, e := range failed.WriteErrors {
		if c := classOf(int32(e.Code)); c != duplicate && c != aboutDocument {
			return nil, err
		}
	}
	return failed.WriteErrors, nil
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
		var cmd mongo.CommandError
		errors.As(err, &cmd)
		w.refuse(indexes[0], cmd.Code, "")
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
	switch {
	case ctx.Err() != nil || errors.As(err, new(mongo.BulkWriteException)): // which names its documents
		return false
	case classify(err) == aboutDocument:
		return true
	}
	return mongo.IsNetworkError(err) && !mongo.IsTimeout(err) && s.ping(ctx) == nil
}

func (s *Store) ping(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, DefaultTimeout)
	defer cancel()
	return s.client.Ping(ctx, nil)
}

// refuse makes a record a reject for the server's own reason: an error's code, zero where there is none, and for a
// duplicate the name of the index. Error texts quote documents, so they are not told.
func (w *writing) refuse(i int, number int32, index string) {
	detail := w.limits.Server + " refused the document"
	switch {
	case index != "":
		detail = fmt.Sprintf("%s: the unique index %s has the value already", detail, index)
	case number != 0:
		detail = fmt.Sprintf("%s with error %s", detail, codeText(number))
	}
	w.reject(i, detail)
}

func (w *writing) reject(i int, detail string) {
	w.outcomes[i] = record.Outcome{Status: record.Rejected, Rejects: w.batch[i].Rejects(record.RefusedByTarget, detail)}
}
