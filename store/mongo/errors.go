package mongo

import (
	"context"
	"errors"
	"fmt"
	"net"
	"regexp"
	"strings"

	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/x/mongo/driver/auth"

	"github.com/lanyardctl/lanyardctl/record"
)

// Errors of [Open] and [Store.Sink].
var (
	ErrURI         = errors.New("the MongoDB URI cannot be used")
	ErrUnreachable = errors.New("MongoDB cannot be reached")
	ErrAuth        = errors.New("MongoDB refuses the user or the password")
	ErrPermission  = errors.New("MongoDB does not let the user do this")
	ErrTooOld      = errors.New("the server is too old")
	ErrIndex       = errors.New("an index is in the way of the unique one")
)

// Codes of server errors, from MongoDB's error_codes.yml.
const (
	codeInternal             = 1
	codeBadValue             = 2
	codeFailedToParse        = 9
	codeUnauthorized         = 13
	codeAuthenticationFailed = 18
	codeInvalidBSON          = 22
	codeNamespaceNotFound    = 26
	codeCommandNotFound      = 59
	codeDollarPrefixed       = 52
	codeEmptyFieldName       = 56
	codeDottedFieldName      = 57
	codeDuplicateKey         = 11000
	codeValidation           = 121
	codeObjectTooLarge       = 10334
	codeGrewTooLarge         = 17419
	codeResultTooLarge       = 17420
	codeMaxNesting           = 15
	codeIndexOptions         = 85
	codeIndexKeySpecs        = 86
)

// aboutDocument are the codes that blame a document rather than the server, the user or the disk. Only these make a
// batch be halved to find it.
var aboutDocument = map[int32]bool{
	codeInternal: true, codeBadValue: true, codeFailedToParse: true, codeInvalidBSON: true, codeDollarPrefixed: true,
	codeEmptyFieldName: true, codeDottedFieldName: true, codeObjectTooLarge: true, codeMaxNesting: true,
	codeValidation: true, codeGrewTooLarge: true, codeResultTooLarge: true,
}

// isBusy reports whether a FerretDB on SQLite lost the race for its file, which it tells by the text alone.
func isBusy(err error) bool { return err != nil && strings.Contains(err.Error(), "database is locked") }

// badURI sorts the errors of reading a URI, for which mongodb+srv:// asks a name server.
func badURI(err error) error {
	var lookup *net.DNSError
	if errors.As(err, &lookup) {
		return fmt.Errorf("%w: %w", ErrUnreachable, scrub(err))
	}
	return fmt.Errorf("%w: %w", ErrURI, scrub(err))
}

// unreachable sorts the errors of the first command.
func unreachable(err error) error {
	switch reason := refusal(err); {
	case reason != nil:
		return fmt.Errorf("%w: %w", reason, scrub(err))
	case isUnavailable(err):
		return fmt.Errorf("%w: %w", ErrUnreachable, scrub(err))
	}
	return fmt.Errorf("ask the server what it is: %w", scrub(err))
}

// refusal returns why the server refuses the user or the command, where that is what err says.
func refusal(err error) error {
	var authErr *auth.Error
	if errors.As(err, &authErr) {
		return ErrAuth
	}
	var cmd mongo.CommandError
	if errors.As(err, &cmd) {
		switch cmd.Code {
		case codeAuthenticationFailed:
			return ErrAuth
		case codeUnauthorized:
			return ErrPermission
		case codeIndexOptions, codeIndexKeySpecs:
			return ErrIndex
		}
	}
	return nil
}

// isUnavailable reports whether the same call may succeed later.
func isUnavailable(err error) bool {
	if mongo.IsNetworkError(err) || mongo.IsTimeout(err) || errors.Is(err, context.DeadlineExceeded) || isBusy(err) {
		return true
	}
	var selection mongo.ServerError
	if errors.As(err, &selection) {
		for _, label := range []string{"RetryableWriteError", "RetryableError", "TransientTransactionError"} {
			if selection.HasErrorLabel(label) {
				return true
			}
		}
		for _, code := range []int{6, 7, 43, 89, 91, 133, 189, 262, 9001, 10107, 11600, 11602, 13435, 13436, 64, 100} {
			if selection.HasErrorCode(code) {
				return true
			}
		}
	}
	return false
}

// wrap names the operation of a server's error, marks it where it may pass, and takes secrets out of its text.
func (s *Store) wrap(operation string, err error) error {
	reason := refusal(err)
	if reason == nil && isUnavailable(err) {
		reason = record.ErrUnavailable
	}
	if reason != nil {
		return fmt.Errorf("%s: %w: %w", operation, reason, scrub(err))
	}
	return fmt.Errorf("%s: %w", operation, scrub(err))
}

// scrubbed is an error without the parts of its text that may hold a secret.
type scrubbed struct {
	text string
	err  error
}

func (e *scrubbed) Error() string { return e.text }
func (e *scrubbed) Unwrap() error { return e.err }

// secretParts finds what a server quotes from documents (an API key is the key of its index), and what a URI holds
// before its host.
var secretParts = regexp.MustCompile(`(?s), current topology: \{.*\}|dup key: \{.*?\}|mongodb(\+srv)?://[^@\s"]*@`)

func scrub(err error) error {
	if err == nil {
		return nil
	}
	text := secretParts.ReplaceAllStringFunc(err.Error(), func(part string) string {
		switch {
		case strings.HasPrefix(part, ", current"): // pages of the driver's view of the world
			return ""
		case strings.HasPrefix(part, "dup key"):
			return "dup key: {…}"
		}
		return "mongodb://xxxxx@"
	})
	return &scrubbed{text: text, err: err}
}
