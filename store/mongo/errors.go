package mongo

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"regexp"
	"slices"
	"strings"

	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/x/mongo/driver"
	"go.mongodb.org/mongo-driver/v2/x/mongo/driver/auth"
	"go.mongodb.org/mongo-driver/v2/x/mongo/driver/topology"

	"github.com/lanyardctl/lanyardctl/internal/redact"
	"github.com/lanyardctl/lanyardctl/record"
)

// Errors of [Open] and [Store.Sink].
var (
	ErrURI         = errors.New("the MongoDB URI cannot be used")
	ErrUnreachable = errors.New("MongoDB cannot be reached")
	ErrNoHost      = errors.New("no such host") // of an ErrUnreachable, at least one
	ErrAuth        = errors.New("MongoDB refuses the user or the password")
	ErrPermission  = errors.New("MongoDB does not let the user do this")
	ErrTooOld      = errors.New("the server is too old")
	ErrIndex       = errors.New("an index is in the way of the unique one")
	ErrIndexTime   = errors.New("the index is not made in time")
	ErrUnwritable  = errors.New("no plain collection")
	ErrNotPrimary  = errors.New("the server is not the primary of its replica set")
)

// classify returns what an error of the driver or the server leads to. It goes by the errors' types, labels and codes.
func classify(err error) class {
	var login *auth.Error
	answer, answered := classOfServer(err)
	switch {
	case errors.Is(err, mongo.ErrClientDisconnected):
		return fatal
	case errors.Is(err, context.Canceled) && !errors.As(err, new(topology.ConnectionError)):
		return fatal // the caller gave up, and not the driver a connection of its own
	case errors.Is(err, record.ErrUnavailable), answered && answer == transient:
		return transient
	// A connection that broke while somebody logged in is no wrong password.
	case errors.As(err, &login) && !isConnectionError(login.Inner()):
		return authentication
	case answered:
		return answer
	case isConnectionError(err):
		return transient
	case errors.Is(err, driver.ErrDocumentTooLarge), errors.As(err, new(mongo.MarshalError)):
		return aboutDocument // it was not sent
	}
	return fatal
}

// retryableLabels are the labels by which a server or the driver says that the same call may succeed later.
var retryableLabels = []string{
	driver.RetryableWriteError, driver.ErrRetryableError, driver.TransientTransactionError, driver.NetworkError,
	driver.ErrSystemOverloadedError,
}

// classOfServer returns the class of an error that a server answered. It reports false for another error, and for one
// that the driver gave the form of a server's.
func classOfServer(err error) (class, bool) {
	var (
		labelled mongo.LabeledError
		command  mongo.CommandError
		inner    driver.Error // in an error of authentication
	)
	numbers, concern, written := writeResult(err)
	number := gravest(numbers)
	switch {
	case written:
	case errors.As(err, &command):
		number = command.Code
	case errors.As(err, &inner):
		number = inner.Code
	}
	c := classOf(number)
	switch {
	case c == authentication, c == permission:
		return c, true
	case errors.As(err, &labelled) && slices.ContainsFunc(retryableLabels, labelled.HasErrorLabel):
		return transient, true
	case concern != nil && concern.Code == codeUnknownWriteConcern:
		return fatal, true
	case concern != nil:
		return transient, true // it was written, but perhaps not to a majority; writing it again waits for that
	}
	return c, number != 0
}

// writeResult returns the codes of the documents that a write failed for, and whether a majority has the others. It reports
// false for another error.
func writeResult(err error) (numbers []int32, concern *mongo.WriteConcernError, written bool) {
	var (
		write mongo.WriteException
		bulk  mongo.BulkWriteException
	)
	switch {
	case errors.As(err, &bulk):
		for _, e := range bulk.WriteErrors {
			numbers = append(numbers, int32(e.Code))
		}
		return numbers, bulk.WriteConcernError, true
	case errors.As(err, &write):
		for _, e := range write.WriteErrors {
			numbers = append(numbers, int32(e.Code))
		}
		return numbers, write.WriteConcernError, true
	}
	return nil, nil, false
}

// gravest returns the first code that is about more than one document, else the first that refuses one, else the first;
// zero where there is none.
func gravest(numbers []int32) int32 {
	rank := func(code int32) int { return map[class]int{duplicate: 2, aboutDocument: 1}[classOf(code)] }
	if len(numbers) == 0 {
		return 0
	}
	return slices.MinFunc(numbers, func(a, b int32) int { return cmp.Compare(rank(a), rank(b)) })
}

// isConnectionError reports whether the driver could not reach a server, or lost it, or took too long.
func isConnectionError(err error) bool {
	var (
		pool      topology.PoolError // the server left the set, say
		retryable driver.RetryablePoolError
		network   net.Error
	)
	return mongo.IsTimeout(err) || mongo.IsNetworkError(err) ||
		errors.As(err, &retryable) || errors.As(err, &pool) || errors.As(err, &network) ||
		errors.As(err, new(topology.ConnectionError)) || errors.As(err, new(topology.ServerSelectionError)) ||
		errors.As(err, new(topology.WaitQueueTimeoutError)) || errors.Is(err, topology.ErrServerClosed) ||
		errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF)
}

// badURI sorts the errors of reading a URI, for which mongodb+srv:// asks a name server.
func badURI(uri redact.URI, err error) error {
	var lookup *net.DNSError
	if errors.As(err, &lookup) {
		return fmt.Errorf("%w: %s", ErrUnreachable, uri.Reason(fmt.Errorf("no name server knows %s, which mongodb+srv:// asks for (mongodb:// takes the name of a server)", lookup.Name)))
	}
	_, reason, found := strings.Cut(uri.Reason(err), " uri: ") // after "error parsing" or "error validating"
	if !found {
		reason = uri.Reason(err)
	}
	return fmt.Errorf("%w: %s", ErrURI, reason)
}

// unreachable sorts the errors of the first command.
func (s *Store) unreachable(err error) error {
	if classify(err) == transient {
		return fmt.Errorf("%w: %w", ErrUnreachable, s.scrub(err))
	}
	return s.wrap("ask the server what it is", err)
}

// reasons are the errors by which a caller knows a class.
var reasons = map[class]error{
	transient: record.ErrUnavailable, authentication: ErrAuth, permission: ErrPermission, indexConflict: ErrIndex, unwritable: ErrUnwritable,
}

// notPrimary are the codes by which a server says that it is no primary.
var notPrimary = []int32{10058, 10107, 13435}

// wrap names the operation of a server's error, marks it where it may pass, and takes secrets out of its text.
func (s *Store) wrap(operation string, err error) error {
	reason := reasons[classify(err)]
	if s.direct && slices.ContainsFunc(notPrimary, func(code int32) bool { return hasCode(err, code) }) {
		reason = ErrNotPrimary // not any more, and nobody looks for the one that is
	}
	if reason != nil && !errors.Is(err, reason) {
		return fmt.Errorf("%s: %w: %w", operation, reason, s.scrub(err))
	}
	return fmt.Errorf("%s: %w", operation, s.scrub(err))
}

// scrubbed is an error without the parts of its text that may hold a secret.
type scrubbed struct {
	text string
	err  error
}

func (e *scrubbed) Error() string { return e.text }
func (e *scrubbed) Unwrap() error { return e.err }

// quoted finds what a server quotes from documents: an API key is the key of its index.
var quoted = regexp.MustCompile(`(?s)dup key: \{.*`)

// scrub returns an error whose text holds nothing of a document or a URI, and says of each server why none was selected.
func (s *Store) scrub(err error) error {
	var (
		done      *scrubbed
		selection topology.ServerSelectionError
	)
	numbers, concern, written := writeResult(err)
	switch {
	case err == nil || errors.As(err, &done):
		return err
	case errors.As(err, &selection):
		why, aboutTLS, unknown := s.members.whyNone(selection)
		if aboutTLS != nil {
			err = errors.Join(&TLSError{aboutTLS}, err)
		}
		if unknown {
			err = errors.Join(ErrNoHost, err)
		}
		return &scrubbed{"no server could be selected: " + why, err}
	case written:
		return &scrubbed{writeText(numbers, concern), err}
	}
	return &scrubbed{redact.HideURIs(quoted.ReplaceAllString(err.Error(), "dup key: {…}")), err}
}

// writeText says what the server answered to a write. The server's own messages quote documents.
func writeText(numbers []int32, concern *mongo.WriteConcernError) string {
	var texts []string
	if len(numbers) > 0 {
		texts = append(texts, "error "+codeText(gravest(numbers)))
	}
	if len(numbers) > 1 {
		texts = append(texts, fmt.Sprintf("and %d more", len(numbers)-1))
	}
	if concern != nil {
		texts = append(texts, fmt.Sprintf("not acknowledged by a majority (%s: %s)", codeText(int32(concern.Code)), concern.Message))
	}
	return strings.Join(texts, ", ")
}
