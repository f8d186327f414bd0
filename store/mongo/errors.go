package mongo

import (
	"context"
	"errors"
	"fmt"
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
	ErrTooOld      = errors.New("the server is too old")
)

// Codes of server errors, from MongoDB's error_codes.yml.
const (
	codeInternal             = 1
	codeBadValue             = 2
	codeFailedToParse        = 9
	codeUnauthorized         = 13
	codeAuthenticationFailed = 18
	codeInvalidBSON          = 22
	codeDollarPrefixed       = 52
	codeEmptyFieldName       = 56
	codeDottedFieldName      = 57
	codeDuplicateKey         = 11000
	codeObjectTooLarge       = 10334
	codeMaxNesting           = 15
)

// aboutDocument are the codes that blame a document rather than the server, the user or the disk. Only these make a
// batch be halved to find it.
var aboutDocument = map[int32]bool{
	codeInternal: true, codeBadValue: true, codeFailedToParse: true, codeInvalidBSON: true, codeDollarPrefixed: true,
	codeEmptyFieldName: true, codeDottedFieldName: true, codeObjectTooLarge: true, codeMaxNesting: true,
}

// unreachable sorts the errors of the first command.
func unreachable(err error) error {
	var authErr *auth.Error
	var cmd mongo.CommandError
	switch {
	case errors.As(err, &authErr), errors.As(err, &cmd) && (cmd.Code == codeAuthenticationFailed || cmd.Code == codeUnauthorized):
		return fmt.Errorf("%w: %w", ErrAuth, scrub(err))
	case isUnavailable(err):
		return fmt.Errorf("%w: %w", ErrUnreachable, scrub(err))
	}
	return fmt.Errorf("ask the server what it is: %w", scrub(err))
}

// isUnavailable reports whether the same call may succeed later.
func isUnavailable(err error) bool {
	if mongo.IsNetworkError(err) || mongo.IsTimeout(err) || errors.Is(err, context.DeadlineExceeded) {
		return true
	}
	var selection mongo.ServerError
	if errors.As(err, &selection) {
		for _, label := range []string{"RetryableWriteError", "RetryableError", "TransientTransactionError"} {
			if selection.HasErrorLabel(label) {
				return true
			}
		}
		for _, code := range []int{6, 7, 89, 91, 189, 262, 9001, 10107, 11600, 11602, 13435, 13436, 64, 100} {
			if selection.HasErrorCode(code) {
				return true
			}
		}
	}
	return false
}

// wrap names the operation of a server's error, marks it where it may pass, and takes secrets out of its text.
func (s *Store) wrap(operation string, err error) error {
	if isUnavailable(err) {
		return fmt.Errorf("%s: %w: %w", operation, record.ErrUnavailable, scrub(err))
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
var secretParts = regexp.MustCompile(`(?s)dup key: \{.*?\}|mongodb(\+srv)?://[^@\s"]*@`)

func scrub(err error) error {
	if err == nil {
		return nil
	}
	text := secretParts.ReplaceAllStringFunc(err.Error(), func(part string) string {
		if strings.HasPrefix(part, "dup key") {
			return "dup key: {…}"
		}
		return "mongodb://xxxxx@"
	})
	return &scrubbed{text: text, err: err}
}
