package mongo

import (
	"context"
	"errors"
	"strconv"
	"sync"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/x/bsonx/bsoncore"

	"github.com/lanyardctl/lanyardctl/record"
)

// documentFunc appends the document of a record of the batch.
type documentFunc func(dst []byte, index int) []byte

// newDocument is the [documentFunc] of a record that is new as it is.
func (w *writing) newDocument(dst []byte, index int) []byte {
	return appendNewDocument(dst, w.batch[index], w.now, w.opts.Mirror)
}

// insert inserts the records' new documents, and returns the records that stand in the target already.
func (w *writing) insert(ctx context.Context, indexes []int, document documentFunc) (duplicates []int, err error) {
	for len(indexes) > 0 {
		n := w.fitting(indexes)
		err := w.halving(ctx, indexes[:n], func(ctx context.Context, some []int) error {
			there, err := w.insertOnce(ctx, some, document)
			if err == nil {
				duplicates = append(duplicates, there...)
			}
			return err
		})
		if err != nil {
			return duplicates, err
		}
		indexes = indexes[n:]
	}
	return duplicates, nil
}

// fitting returns how many of the records one command takes.
func (w *writing) fitting(indexes []int) int {
	size := 0
	for n, i := range indexes {
		size += w.batch[i].DocumentSize()
		if n > 0 && (size > insertBytes || n >= insertLength) {
			return n
		}
	}
	return len(indexes)
}

func (w *writing) insertOnce(ctx context.Context, indexes []int, document documentFunc) (duplicates []int, err error) {
	failed, err := writeErrors(w.insertUnordered(ctx, collectionName(w.kind), indexes, document))
	if err != nil {
		return nil, err
	}
	for _, i := range indexes {
		w.outcomes[i].Status = record.Inserted
	}
	for _, e := range failed {
		i := indexes[e.Index]
		index, ours := violated(e.WriteError)
		switch {
		case index == "":
			w.refuse(i, int32(e.Code), "")
		case ours || !w.merging:
			if w.merging {
				w.meet(i, index)
			}
			w.outcomes[i] = record.Outcome{}
			duplicates = append(duplicates, i)
		default:
			w.refuse(i, int32(e.Code), index)
		}
	}
	return duplicates, nil
}

// Bounds of an insert's command. The server takes one of 16 MiB and a little, with 100,000 documents.
const (
	insertBytes  = 8 << 20
	insertLength = 50_000
)

// insertCommands keeps the memory of commands for the next ones.
var insertCommands = sync.Pool{New: func() any { return new([]byte) }}

// insertUnordered inserts documents, which are built in the command itself: the driver's InsertMany would decode each of
// them for its _id, which takes twice as long as all the rest. The driver does not send such a command again by itself; who
// calls does.
func (s *Store) insertUnordered(ctx context.Context, collection string, indexes []int, document documentFunc) error {
	buffer := insertCommands.Get().(*[]byte)
	defer insertCommands.Put(buffer)
	start, command := bsoncore.AppendDocumentStart((*buffer)[:0])
	command = bsoncore.AppendStringElement(command, "insert", collection)
	command = bsoncore.AppendBooleanElement(command, "ordered", false)
	command = bsoncore.AppendDocumentElement(command, "writeConcern", majority)
	array, command := bsoncore.AppendArrayElementStart(command, "documents")
	for n, i := range indexes {
		command = append(command, byte(bsoncore.TypeEmbeddedDocument))
		command = append(strconv.AppendInt(command, int64(n), 10), 0)
		at := len(command)
		command = document(command, i)
		if len(indexes) == 1 && len(command) > insertBytes { // there may be no room for it inside a command
			return s.insertMany(ctx, collection, []bson.Raw{command[at:]})
		}
	}
	command = finish(finish(command, array), start)
	*buffer = command
	return s.command(ctx, func(ctx context.Context) error {
		return asBulkWrite(s.db.RunCommand(ctx, bson.Raw(command)).Err())
	})
}

// majority is the write concern of all that is written, whatever the URI says. A command that is sent as it stands does not
// get it from the client.
var majority = bsoncore.NewDocumentBuilder().AppendString("w", "majority").Build()

// asBulkWrite returns the error of a command that wrote several documents in the form in which the driver's own functions
// for that return it.
func asBulkWrite(err error) error {
	var written mongo.WriteException
	if !errors.As(err, &written) {
		return err
	}
	bulk := mongo.BulkWriteException{WriteConcernError: written.WriteConcernError, Labels: written.Labels}
	for _, e := range written.WriteErrors {
		bulk.WriteErrors = append(bulk.WriteErrors, mongo.BulkWriteError{WriteError: e})
	}
	return bulk
}
