package mongo_test

import (
	"context"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"
	driver "go.mongodb.org/mongo-driver/v2/mongo"
	xdriver "go.mongodb.org/mongo-driver/v2/x/mongo/driver"
	"go.mongodb.org/mongo-driver/v2/x/mongo/driver/auth"
	"go.mongodb.org/mongo-driver/v2/x/mongo/driver/topology"

	"github.com/lanyardctl/lanyardctl/record"
	"github.com/lanyardctl/lanyardctl/store/mongo"
)

// What an error leads to.
const (
	ends     = "the run ends"
	retried  = "tried again"
	rejected = "the document is rejected"
	merged   = "merged, or rejected where the index is not ours"
	password = "the run ends: user or password"
	right    = "the run ends: missing right"
	index    = "the run ends: drop the index"
	noPlain  = "the run ends: no plain collection"
)

// poolCleared is of the form of the driver's error of a pool that was cleared, whose type has no exported name.
type poolCleared struct{}

func (poolCleared) Error() string {
	return "connection pool for h:1 was cleared because another operation failed with: EOF"
}
func (poolCleared) Retryable() bool { return true }

func command(code int32, labels ...string) driver.CommandError {
	return driver.CommandError{Code: code, Labels: labels}
}

func bulk(code int, concern *driver.WriteConcernError, labels ...string) driver.BulkWriteException {
	e := driver.BulkWriteException{WriteConcernError: concern, Labels: labels}
	if code != 0 {
		e.WriteErrors = []driver.BulkWriteError{{WriteError: driver.WriteError{Code: code}}}
	}
	return e
}

func both(first, second int) driver.BulkWriteException {
	e := bulk(first, nil)
	e.WriteErrors = append(e.WriteErrors, bulk(second, nil).WriteErrors...)
	return e
}

// driverErrors are errors of the driver by the name of their type or variable, and what they lead to.
var driverErrors = []struct {
	name  string // "package.Name", with a word after it where there are several
	err   error
	leads string
}{
	{"mongo.CommandError of a network", command(0, "NetworkError"), retried},
	{"mongo.CommandError not primary", command(10107), retried},
	{"mongo.CommandError of a document", command(2), rejected},
	{"mongo.CommandError Unauthorized", command(13), right},
	{"mongo.CommandError of a view", command(166), noPlain},
	{"mongo.CommandError of an index", command(85), index},
	{"mongo.CommandError unknown", command(4711), ends},
	{"mongo.CommandError unknown, retryable", command(4711, "RetryableWriteError"), retried},
	{"mongo.CommandError overloaded", command(4711, "SystemOverloadedError"), retried},
	{"mongo.CommandError of a transaction", command(4711, "TransientTransactionError"), retried},
	{"mongo.WriteError", driver.WriteException{WriteErrors: driver.WriteErrors{{Code: 11000}}}, merged},
	{"mongo.WriteException", driver.WriteException{WriteErrors: driver.WriteErrors{{Code: 121}}}, rejected},
	{"mongo.WriteException of a view", driver.WriteException{WriteErrors: driver.WriteErrors{{Code: 166}}}, noPlain},
	{"mongo.WriteConcernError", driver.WriteException{WriteConcernError: &driver.WriteConcernError{Code: 64}}, retried},
	{"mongo.WriteConcernError not primary", driver.WriteException{WriteConcernError: &driver.WriteConcernError{Code: 11602}}, retried},
	{"mongo.WriteConcernError of an unknown concern", driver.WriteException{WriteConcernError: &driver.WriteConcernError{Code: 79}}, ends},
	{"mongo.WriteErrors", driver.WriteErrors{{Code: 11000}}, ends}, // only ever inside an exception
	{"mongo.BulkWriteError", bulk(11000, nil), merged},
	{"mongo.BulkWriteException", bulk(14031, nil), ends},
	{"mongo.BulkWriteException of a document", bulk(17419, nil), rejected},
	{"mongo.BulkWriteException retryable", bulk(189, nil, "RetryableWriteError"), retried},
	{"mongo.BulkWriteException of a concern", bulk(0, &driver.WriteConcernError{Code: 100}), retried},
	{"mongo.BulkWriteException of a duplicate and a shutdown", both(11000, 91), retried},
	{"mongo.BulkWriteException of a shutdown and a document", both(91, 2), retried},
	{"mongo.BulkWriteException of a document and a full disk", both(2, 14031), ends},
	{"mongo.BulkWriteException of a document and a duplicate", both(2, 11000), rejected},
	{"mongo.BulkWriteException of a duplicate and a concern", bulk(11000, &driver.WriteConcernError{Code: 64}), retried},
	{"mongo.ClientBulkWriteException", driver.ClientBulkWriteException{}, ends}, // of a command that is not used
	{"mongo.MarshalError", driver.MarshalError{Err: errors.New("x")}, rejected},
	{"mongo.InvalidArgumentError", driver.ErrNilDocument, ends},
	{"mongo.ErrMapForOrderedArgument", driver.ErrMapForOrderedArgument{}, ends},
	{"mongo.MongocryptError", driver.MongocryptError{}, ends},
	{"mongo.EncryptionKeyVaultError", driver.EncryptionKeyVaultError{Wrapped: errors.New("x")}, ends},
	{"mongo.MongocryptdError", driver.MongocryptdError{Wrapped: errors.New("x")}, ends},
	{"mongo.ErrClientDisconnected", driver.ErrClientDisconnected, ends},
	{"mongo.ErrNilDocument", driver.ErrNilDocument, ends},
	{"mongo.ErrNilValue", driver.ErrNilValue, ends},
	{"mongo.ErrEmptySlice", driver.ErrEmptySlice, ends},
	{"mongo.ErrNotSlice", driver.ErrNotSlice, ends},
	{"mongo.ErrMultipleIndexDrop", driver.ErrMultipleIndexDrop, ends},
	{"mongo.ErrNoDocuments", driver.ErrNoDocuments, ends},
	{"mongo.ErrMissingResumeToken", driver.ErrMissingResumeToken, ends},
	{"mongo.ErrNilCursor", driver.ErrNilCursor, ends},
	{"mongo.ErrInvalidIndexValue", driver.ErrInvalidIndexValue, ends},
	//lint:ignore SA1019 it can come as long as it is there
	{"mongo.ErrNonStringIndexName", driver.ErrNonStringIndexName, ends},
	{"mongo.ErrWrongClient", driver.ErrWrongClient, ends},
	{"mongo.ErrFileNotFound", driver.ErrFileNotFound, ends},
	{"mongo.ErrMissingGridFSChunkSize", driver.ErrMissingGridFSChunkSize, ends},
	{"mongo.ErrMissingChunk", driver.ErrMissingChunk, ends},
	{"mongo.ErrWrongSize", driver.ErrWrongSize, ends},
	{"mongo.ErrStreamClosed", driver.ErrStreamClosed, ends},

	{"driver.Error of a network", xdriver.Error{Labels: []string{xdriver.NetworkError}, Wrapped: io.EOF}, retried},
	{"driver.Error of a pool", xdriver.Error{Labels: []string{xdriver.TransientTransactionError}, Wrapped: poolCleared{}}, retried},
	{"driver.Error stepped down", xdriver.Error{Code: 189}, retried},
	{"driver.Error of an operation that is too old", xdriver.Error{Code: 20}, ends},
	{"driver.RetryablePoolError", poolCleared{}, retried},
	{"driver.RetryablePoolError wrapped", fmt.Errorf("x: %w", poolCleared{}), retried},
	{"driver.WriteCommandError", xdriver.WriteCommandError{}, ends}, // it comes as an exception
	{"driver.WriteConcernError", xdriver.WriteConcernError{}, ends}, // likewise
	{"driver.WriteError", xdriver.WriteError{}, ends},               // likewise
	{"driver.WriteErrors", xdriver.WriteErrors{}, ends},             // likewise
	{"driver.QueryFailureError", xdriver.QueryFailureError{}, ends},
	{"driver.ResponseError", xdriver.ResponseError{}, ends},
	{"driver.InvalidOperationError", xdriver.InvalidOperationError{}, ends},
	{"driver.ErrDocumentTooLarge", xdriver.ErrDocumentTooLarge, rejected},
	{"driver.ErrDeadlineWouldBeExceeded", xdriver.ErrDeadlineWouldBeExceeded, retried},
	{"driver.ErrCursorNotFound", xdriver.ErrCursorNotFound, ends}, // of a protocol that servers from 3.6 do not speak
	{"driver.ErrUnacknowledgedWrite", xdriver.ErrUnacknowledgedWrite, ends},
	{"driver.ErrUnsupportedStorageEngine", xdriver.ErrUnsupportedStorageEngine, ends},
	{"driver.ErrNoCursor", xdriver.ErrNoCursor, ends},
	{"driver.ErrNoDocCommandResponse", xdriver.ErrNoDocCommandResponse, ends},
	{"driver.ErrMultiDocCommandResponse", xdriver.ErrMultiDocCommandResponse, ends},
	{"driver.ErrReplyDocumentMismatch", xdriver.ErrReplyDocumentMismatch, ends},
	{"driver.ErrNonPrimaryReadPref", xdriver.ErrNonPrimaryReadPref, ends},
	{"driver.ErrEmptyReadConcern", xdriver.ErrEmptyReadConcern, ends},
	{"driver.ErrEmptyWriteConcern", xdriver.ErrEmptyWriteConcern, ends},

	{"topology.ConnectionError", topology.ConnectionError{Wrapped: io.EOF}, retried},
	{"topology.ConnectionError of a login", topology.ConnectionError{Wrapped: xdriver.Error{Code: 18}}, password},
	{"topology.ConnectionError that the driver gave up", topology.ConnectionError{Wrapped: context.Canceled}, retried},
	{"topology.ServerSelectionError", topology.ServerSelectionError{Wrapped: context.DeadlineExceeded}, retried},
	{"topology.ServerSelectionError that was given up", topology.ServerSelectionError{Wrapped: context.Canceled}, ends},
	{"topology.WaitQueueTimeoutError", topology.WaitQueueTimeoutError{}, retried},
	{"topology.PoolError", topology.ErrPoolClosed, retried},
	{"topology.ErrPoolClosed", topology.ErrPoolClosed, retried},
	{"topology.ErrPoolNotPaused", topology.ErrPoolNotPaused, retried},
	{"topology.ErrWrongPool", topology.ErrWrongPool, retried},
	{"topology.ErrConnectionClosed", topology.ErrConnectionClosed, retried},
	{"topology.ErrServerClosed", topology.ErrServerClosed, retried},
	{"topology.ErrServerConnected", topology.ErrServerConnected, ends},
	{"topology.ErrSubscribeAfterClosed", topology.ErrSubscribeAfterClosed, ends},
	{"topology.ErrTopologyClosed", topology.ErrTopologyClosed, ends},
	{"topology.ErrTopologyConnected", topology.ErrTopologyConnected, ends},

	{"auth.Error", &auth.Error{}, password},
	{"auth.Error of a connection", topology.ConnectionError{Wrapped: &auth.Error{}}, password},
	{"auth.Error of a primary that goes", xdriver.Error{Code: 91, Wrapped: &auth.Error{}}, retried},
	{"auth.Error of a service", xdriver.Error{Code: 8000, Wrapped: &auth.Error{}}, password},

	// Not the driver's own.
	{"context.Canceled", context.Canceled, ends},
	{"context.DeadlineExceeded", context.DeadlineExceeded, retried},
	{"net.OpError", &net.OpError{Op: "read", Err: errors.New("reset")}, retried},
	{"io.EOF", io.EOF, retried},
	{"a text", errors.New("connection pool was cleared"), ends},
}

func TestWhatErrorsOfTheDriverLeadTo(t *testing.T) {
	t.Parallel()
	for _, c := range driverErrors {
		if leads := mongo.LeadsTo(c.err); leads != c.leads {
			t.Errorf("%s: %s, want: %s", c.name, leads, c.leads)
		}
		if leads := mongo.LeadsTo(fmt.Errorf("wrapped: %w", c.err)); leads != c.leads {
			t.Errorf("%s, wrapped: %s, want: %s", c.name, leads, c.leads)
		}
		if unavailable := errors.Is(mongo.Wrap(c.err), record.ErrUnavailable); unavailable != (c.leads == retried) {
			t.Errorf("%s: unavailable: %t", c.name, unavailable)
		}
	}
}

// TestAllErrorsOfTheDriverAreKnown looks for exported error types and variables in the driver's source.
func TestAllErrorsOfTheDriverAreKnown(t *testing.T) {
	t.Parallel()
	out, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "go.mongodb.org/mongo-driver/v2").Output()
	if err != nil {
		t.Fatal(err)
	}
	known := make(map[string]bool)
	for _, c := range driverErrors {
		name, _, _ := strings.Cut(c.name, " ")
		known[name] = true
	}
	found := 0
	for _, dir := range []string{"mongo", "x/mongo/driver", "x/mongo/driver/topology", "x/mongo/driver/auth"} {
		for _, name := range exportedErrors(t, filepath.Join(strings.TrimSpace(string(out)), filepath.FromSlash(dir))) {
			found++
			if name = filepath.Base(dir) + "." + name; !known[name] {
				t.Errorf("%s is not in the table", name)
			}
		}
	}
	if found < 50 {
		t.Errorf("only %d errors were found", found)
	}
}

// exportedErrors returns the exported types with an Error method, the exported interfaces of errors, and the exported
// variables with a name of errors in the package of the folder.
func exportedErrors(t *testing.T, dir string) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*.go"))
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, path := range files {
		if strings.HasSuffix(path, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		for _, decl := range file.Decls {
			switch d := decl.(type) {
			case *ast.FuncDecl:
				if d.Name.Name == "Error" && d.Recv != nil {
					names = append(names, receiver(d.Recv.List[0].Type))
				}
			case *ast.GenDecl:
				for _, spec := range d.Specs {
					if v, ok := spec.(*ast.ValueSpec); ok && d.Tok == token.VAR {
						for _, name := range v.Names {
							if strings.HasPrefix(name.Name, "Err") {
								names = append(names, name.Name)
							}
						}
					}
				}
			}
		}
	}
	names = slices.DeleteFunc(names, func(name string) bool {
		// Two labels are strings that are named as errors are.
		return !ast.IsExported(name) || name == "ErrSystemOverloadedError" || name == "ErrRetryableError"
	})
	slices.Sort(names)
	return slices.Compact(names)
}

func receiver(expr ast.Expr) string {
	if star, ok := expr.(*ast.StarExpr); ok {
		expr = star.X
	}
	if ident, ok := expr.(*ast.Ident); ok {
		return ident.Name
	}
	return ""
}

// TestWhatErrorsOfTheServerLeadTo has the codes by their categories in MongoDB's error_codes.yml.
func TestWhatErrorsOfTheServerLeadTo(t *testing.T) {
	t.Parallel()
	want := map[string][]int32{
		retried: slices.Concat(
			[]int32{6, 7, 89, 91, 134, 189, 262, 317, 358, 384, 402, 406, 407, 412, 453, 462, 9001, 10107, 11600, 11602, 13435, 13436, 50915, 91331, 10045600}, // RetriableError
			[]int32{10058},               // NotPrimaryError besides
			[]int32{64, 100},             // WriteConcernError
			[]int32{150, 63, 13388, 249}, // StaleShardVersionError
			[]int32{50, 202, 290},        // ExceededTimeLimitError besides
			[]int32{433, 449, 450},       // SystemOverloadedError besides
			[]int32{239, 246, 250, 272},  // SnapshotError
			[]int32{24, 237, 279, 355},   // Interruption, but for what a person did
			[]int32{43, 175},             // CursorInvalidatedError
			[]int32{46, 94, 112, 117, 133, 145, 149, 215, 216, 234, 261, 276, 285, 342, 365, 12586, 12587}, // none, and of a moment
		),
		rejected: {1, 2, 9, 15, 22, 28, 52, 53, 56, 57, 61, 66, 116, 121, 171, 201, 357, 378, 10003, 10334, 16755, 16766, 17261, 17262, 17280, 17419, 17420},
		merged:   {11000, 11001, 12582},
		password: {11, 18, 334, 391},
		right:    {13, 8000},
		index:    {85, 86},
		noPlain:  {166, 167},
		ends:     {8, 20, 26, 67, 72, 79, 264, 278, 371, 11601, 14031, 46841},
	}
	total := 0
	for leads, list := range want {
		total += len(list)
		for _, code := range list {
			if got, name := mongo.CodeLeadsTo(code); got != leads || name == "" {
				t.Errorf("%d %s: %s, want: %s", code, name, got, leads)
			}
		}
	}
	if known := mongo.Codes(); len(known) != total {
		t.Errorf("%d codes are known, %d are in this table", len(known), total)
	}
}

// TestErrorsShowNoDocument gives errors that quote documents the words of secrets.
func TestErrorsShowNoDocument(t *testing.T) {
	t.Parallel()
	const message = `E11000 duplicate key error collection: lanyard.api_keys index: key_1 dup key: { key: "}lnyd_secret" }, { a: "secret" }`
	for _, err := range []error{
		driver.CommandError{Code: 11000, Message: message},
		driver.WriteException{WriteErrors: driver.WriteErrors{{Code: 11000, Message: message}}},
		driver.BulkWriteException{WriteErrors: []driver.BulkWriteError{{WriteError: driver.WriteError{
			Code: 121, Message: "Document failed validation", Details: mustRaw(bson.D{{Key: "consideredValue", Value: "secret"}}),
		}}}},
	} {
		if text := mongo.Wrap(err).Error(); strings.Contains(text, "secret") || !strings.Contains(text, "do it: ") {
			t.Errorf("%q", text)
		}
	}
}

// TestTheGravestErrorIsTold has a batch of which some documents are there already, while the server shuts down.
func TestTheGravestErrorIsTold(t *testing.T) {
	t.Parallel()
	if text := mongo.Wrap(both(11000, 91)).Error(); !strings.HasSuffix(text, "error 91 ShutdownInProgress, and 1 more") {
		t.Errorf("%q", text)
	}
}

func mustRaw(v any) bson.Raw {
	raw, err := bson.Marshal(v)
	if err != nil {
		panic(err)
	}
	return raw
}

// TestTheTableForOperatorsIsTrue reads the table of docs/mongodb.md.
func TestTheTableForOperatorsIsTrue(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(filepath.Join("..", "..", "docs", "mongodb.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, table, _ := strings.Cut(string(text), "## What an error leads to")
	table, _, _ = strings.Cut(table, "\n## ")
	told := make(map[int32]string)
	for line := range strings.Lines(table) {
		row := strings.Split(line, "|")
		if len(row) != 4 {
			continue
		}
		for _, number := range regexp.MustCompile(`\b[0-9]+\b`).FindAllString(row[1], -1) {
			code, err := strconv.ParseInt(number, 10, 32)
			if err != nil {
				t.Fatal(err)
			}
			told[int32(code)] = row[2]
		}
	}
	words := map[string]string{
		retried: "tried again", rejected: "document is rejected", merged: "merged", password: "what to check", right: "role",
		index: "drops it", noPlain: "exit code 1", ends: "exit code 1",
	}
	for _, code := range mongo.Codes() {
		leads, name := mongo.CodeLeadsTo(code)
		if says, known := told[code]; (known || leads != ends) && !strings.Contains(says, words[leads]) && code != 79 {
			t.Errorf("%d %s leads to: %s; the table says:%s", code, name, leads, says)
		}
		delete(told, code)
	}
	if len(told) > 0 {
		t.Errorf("the table knows of %v", told)
	}
}
