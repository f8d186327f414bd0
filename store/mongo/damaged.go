package mongo

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"go.mongodb.org/mongo-driver/v2/bson"
)

// DamagedError tells that somebody changed one of the documents in which lanyardctl keeps what it did, so that it
// cannot be read.
type DamagedError struct {
	Collection string
	ID         string // as JSON
	Err        error
}

func (e *DamagedError) Error() string {
	return fmt.Sprintf("the document %s in the collection %s is damaged: %v", e.ID, e.Collection, e.Err)
}

func (e *DamagedError) Unwrap() error { return e.Err }

// Filter returns what names the document in a MongoDB shell.
func (e *DamagedError) Filter() string { return "{_id: " + e.ID + "}" }

// IsLease tells whether the document says which process is at work.
func (e *DamagedError) IsLease() bool {
	return e.Collection == LeasesCollection || e.Collection == SweepsCollection && e.ID == strconv.Quote(sweepLeaseID)
}

// longestID is how much of an _id is shown. Those that lanyardctl makes are shorter.
const longestID = 200

// damaged returns the error of a document of lanyardctl's own that cannot be read.
func damaged(collection string, doc bson.Raw, err error) error {
	if field, ok := errors.AsType[*bson.DecodeError](err); ok {
		err = fmt.Errorf("its field %s holds something else than lanyardctl wrote", strings.Join(field.Keys(), "."))
	}
	id := lookup(doc, "_id").String()
	if len(id) > longestID {
		id = strings.ToValidUTF8(id[:longestID], "") + "…"
	}
	return &DamagedError{Collection: collection, ID: id, Err: err}
}
