package mongo_test

import (
	"errors"
	"testing"

	driver "go.mongodb.org/mongo-driver/v2/mongo"

	"github.com/lanyardctl/lanyardctl/record"
	"github.com/lanyardctl/lanyardctl/store/mongo"
)

// TestFerretDBsErrorsAreToldAsMongoDBDoes has the forms in which FerretDB 1.24 tells of what MongoDB has codes for.
func TestFerretDBsErrorsAreToldAsMongoDBDoes(t *testing.T) {
	internal := func(text string) error {
		return driver.CommandError{Code: 1, Name: "InternalError", Message: "[conn.go:561] " + text}
	}
	blamed := func(code int) error {
		return driver.BulkWriteException{WriteErrors: []driver.BulkWriteError{{WriteError: driver.WriteError{Code: code, Message: "secret"}}}}
	}
	const (
		unique = "constraint failed: UNIQUE constraint failed: lanyard_kv._ferretdb_sjson (2067)"
		again  = "tried again"
		reject = "the document is rejected"
		merged = "merged, or rejected where the index is not ours"
		ends   = "the run ends"
	)
	for name, c := range map[string]struct {
		err     error
		updates int
		want    string
	}{
		"the file is locked":                {internal("database is locked (5) (SQLITE_BUSY)"), 0, again},
		"the file is locked for a document": {driver.BulkWriteException{WriteErrors: []driver.BulkWriteError{{WriteError: driver.WriteError{Code: 1, Message: "database is locked"}}}}, 40, again},
		"a unique index":                    {internal(unique), 1, merged},
		"a unique index, of several":        {internal(unique), 40, reject},
		"a unique index, not of an update":  {internal(unique), 0, reject},
		"a document, of one":                {blamed(11000), 1, merged},
		"a document, of several":            {blamed(11000), 40, reject},
		"the command, for whatever updates": {blamed(8), 40, ends},
		"anything else":                     {errors.New("secret"), 1, ends},
	} {
		got := mongo.FerretDBsFailure(c.err, c.updates)
		if leads := mongo.LeadsTo(got); leads != c.want {
			t.Errorf("%s: %s, want %s (%v)", name, leads, c.want, got)
		}
		if (c.want == again) != errors.Is(got, record.ErrUnavailable) {
			t.Errorf("%s: %v", name, got)
		}
	}
	if err := mongo.FerretDBsFailure(nil, 1); err != nil {
		t.Error(err)
	}
}
