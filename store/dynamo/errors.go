package dynamo

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"net/url"
	"regexp"
	"slices"

	"github.com/aws/aws-sdk-go-v2/credentials/processcreds"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"github.com/lanyardctl/lanyardctl/internal/redact"
	"github.com/lanyardctl/lanyardctl/record"
)

// Errors of a [Store], each of which an [Error] or a [TableError] may wrap.
var (
	ErrConfiguration = errors.New("the configuration of AWS cannot be used")
	ErrEndpoint      = errors.New("the endpoint cannot be used")
	ErrCredentials   = errors.New("there are no AWS credentials that can be used")
	ErrAuth          = errors.New("DynamoDB refuses the credentials")
	ErrExpired       = errors.New("the AWS credentials have expired")
	ErrPermission    = errors.New("DynamoDB does not let the user do this")
	ErrNoTable       = errors.New("there is no such table")
	ErrKeySchema     = errors.New("the table has another key")
	ErrThrottled     = errors.New("DynamoDB throttles the requests") // it wraps [record.ErrUnavailable] where it is returned
	ErrUnreachable   = errors.New("DynamoDB cannot be reached")      // so does it
	ErrRequest       = errors.New("DynamoDB refuses the request")

	// ErrTableLimit wraps [record.ErrUnavailable] where it is returned.
	ErrTableLimit = errors.New("too many tables are made at once, or the account has as many as it may have")
)

// Error is the error of a request. It has no secret in its text.
type Error struct {
	Operation string // of DynamoDB: "Scan"
	Table     string // empty where there is none, or several
	Reason    error  // one of this package's errors, or [record.ErrUnavailable]; nil where the caller gave up

	detail string
	cause  error
}

func (e *Error) Error() string {
	text := e.Operation
	if e.Table != "" {
		text += " of the table " + e.Table
	}
	if e.Reason != nil {
		text += ": " + e.Reason.Error()
	}
	if e.detail != "" {
		text += ": " + e.detail
	}
	return text
}

// Unwrap returns the reason, [record.ErrUnavailable] where the same request may succeed later, and the error of the SDK.
func (e *Error) Unwrap() []error {
	all := []error{e.cause}
	if e.Reason != nil {
		all = append(all, e.Reason)
	}
	if e.Reason == ErrThrottled || e.Reason == ErrUnreachable || e.Reason == ErrTableLimit {
		all = append(all, record.ErrUnavailable)
	}
	return all
}

// TableError tells what is wrong with tables, before anything is read or written.
type TableError struct {
	Reason error    // [ErrNoTable], [ErrKeySchema] or [ErrTableStatus]
	Tables []string // names
	Detail string   // for people
}

func (e *TableError) Error() string {
	return fmt.Sprintf("%v: %s", e.Reason, e.Detail)
}

// Unwrap returns the reason.
func (e *TableError) Unwrap() error { return e.Reason }

// credentialsError is the error of the chain that has no credentials.
type credentialsError struct{ cause error }

func (e *credentialsError) Error() string {
	return fmt.Sprintf("%v: %s", ErrCredentials, e.text())
}
func (e *credentialsError) Unwrap() []error { return []error{ErrCredentials, e.cause} }

// text returns why there are none. The SDK's own text may quote what a process printed, and so do servers with what was signed.
func (e *credentialsError) text() string {
	var answer smithy.APIError
	switch {
	case errors.As(e.cause, new(*processcreds.ProviderError)):
		return "the credential_process of the profile failed"
	case errors.As(e.cause, &answer) && reasonOf[answer.ErrorCode()] != nil:
		return failed("", "", e.cause).detail
	case answer != nil:
		return answer.ErrorCode()
	}
	return redact.HideText(e.cause.Error())
}

// reasonOf are the reasons by the code of DynamoDB's answer.
var reasonOf = map[string]error{
	"ExpiredToken":                 ErrExpired,
	"ExpiredTokenException":        ErrExpired,
	"RequestExpired":               ErrExpired,
	"UnrecognizedClientException":  ErrAuth,
	"InvalidSignatureException":    ErrAuth,
	"IncompleteSignatureException": ErrAuth,
	"SignatureDoesNotMatch":        ErrAuth,
	"InvalidClientTokenId":         ErrAuth,

	"MissingAuthenticationToken":             ErrAuth,
	"MissingAuthenticationTokenException":    ErrAuth,
	"AccessDenied":                           ErrPermission,
	"AccessDeniedException":                  ErrPermission,
	"OptInRequired":                          ErrPermission,
	"ResourceNotFoundException":              ErrNoTable,
	"TableNotFoundException":                 ErrNoTable,
	"ProvisionedThroughputExceededException": ErrThrottled,
	"RequestLimitExceeded":                   ErrThrottled,
	"Throttling":                             ErrThrottled,
	"ThrottlingException":                    ErrThrottled,
	"LimitExceededException":                 ErrTableLimit,
	"InternalServerError":                    record.ErrUnavailable,
	"InternalFailure":                        record.ErrUnavailable,
	"ServiceUnavailable":                     record.ErrUnavailable,
	"RequestTimeout":                         record.ErrUnavailable,
	"RequestTimeoutException":                record.ErrUnavailable,
}

// failed returns the error of a request.
func failed(operation, table string, err error) *Error {
	e := &Error{Operation: operation, Table: table, cause: err}
	var (
		answer   smithy.APIError
		response *smithyhttp.ResponseError
		chain    *credentialsError
		network  net.Error
		status   string // of a server that failed
	)
	if errors.As(err, &response) && response.HTTPStatusCode() >= http.StatusInternalServerError {
		status = fmt.Sprintf("HTTP status %d", response.HTTPStatusCode())
	}
	switch {
	case errors.Is(err, context.Canceled):
		e.detail = context.Canceled.Error()
	case errors.As(err, &chain):
		e.Reason, e.detail = ErrCredentials, chain.text()
		service := failed("", "", chain.cause)                                                        // that was asked for them
		if errors.Is(service, record.ErrUnavailable) && !errors.As(chain.cause, new(*fs.PathError)) { // a file's error passes for one of the network
			e.Reason, e.detail, e.cause = record.ErrUnavailable, "the credentials could not be refreshed: "+service.detail, chain.cause
		}
	case errors.As(err, &answer):
		e.Reason, e.detail = reasonOf[answer.ErrorCode()], answer.ErrorCode()
		if e.Reason == nil && (status != "" || answer.ErrorFault() == smithy.FaultServer) {
			e.Reason, e.detail = record.ErrUnavailable, cmp.Or(status, "the server failed")
		}
		if e.Reason == nil {
			e.Reason = ErrRequest
		}
		if remark := remarkOf(operation, e.Reason, answer.ErrorMessage()); remark != "" {
			e.detail += ": " + remark
		}
	case status != "": // with the page of a load balancer
		e.Reason, e.detail = record.ErrUnavailable, status
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &network), errors.As(err, new(*smithyhttp.RequestSendError)), isCut(err):
		e.Reason, e.detail = ErrUnreachable, networkText(err)
	default:
		e.Reason, e.detail = ErrRequest, redact.HideText(err.Error())
	}
	return e
}

// action finds what AWS does not let a user do.
var action = regexp.MustCompile(`\b(?:dynamodb|kms|sts):[A-Za-z*]+`)

// harmless finds what of a refusal quotes nothing.
var harmless = regexp.MustCompile(`(?i)Item size (?:to update )?has exceeded the maximum allowed size` +
	`|Expression size has exceeded the maximum allowed size|The expression contains too many operators` +
	`|Nesting Levels have exceeded supported limits|Attribute name is too large` +
	`|Size of hashkey has exceeded the maximum size limit|Aggregated size of all range keys has exceeded the size limit` +
	`|key attribute cannot contain an empty (?:string|binary) value` +
	`|Attempting to store (?:more than 38 significant digits in a Number|a number with magnitude (?:larger|smaller) than supported range)`)

// writes are the operations whose refusal may quote an item.
var writes = []string{"PutItem", "UpdateItem", "DeleteItem", "BatchWriteItem"}

// remarkOf returns what of DynamoDB's message may be shown: it may quote an item, or what was signed.
func remarkOf(operation string, reason error, message string) string {
	switch {
	case reason == ErrPermission:
		return action.FindString(message)
	case reason != ErrRequest:
		return ""
	case slices.Contains(writes, operation):
		return harmless.FindString(message)
	}
	return redact.HideText(message)
}

// refusedItem reports whether DynamoDB refuses the item that is written, whatever else there is, and its words for it.
func refusedItem(err error) (words string, ok bool) {
	var answer smithy.APIError
	if !errors.As(err, &answer) {
		return "", false
	}
	words = answer.ErrorCode()
	ok = words == "ValidationException" || words == (*types.ItemCollectionSizeLimitExceededException)(nil).ErrorCode()
	if remark := harmless.FindString(answer.ErrorMessage()); remark != "" {
		words += ": " + remark
	}
	return words, ok
}

// networkText returns what kept a request from its answer, without the layers of the SDK.
func networkText(err error) string {
	var (
		lookup *net.DNSError
		dial   *net.OpError
		sent   *url.Error
	)
	switch {
	case errors.As(err, &lookup):
		return "no name server knows " + lookup.Name
	case errors.As(err, &dial):
		return dial.Error()
	case errors.Is(err, context.DeadlineExceeded):
		return "no answer in time"
	case isCut(err):
		return "the connection was cut"
	case errors.As(err, &sent):
		err = sent.Err
	}
	return redact.HideText(err.Error())
}
