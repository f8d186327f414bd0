package ui

import "github.com/lanyardctl/lanyardctl/internal/redact"

// Sanitizer makes texts fit to be shown: without secrets, and with nothing that a terminal obeys.
type Sanitizer struct{ *redact.Redactor }

// NewSanitizer returns a sanitizer for a run that uses the given URIs.
func NewSanitizer(uris ...string) Sanitizer { return Sanitizer{redact.New(uris...)} }

// Sanitize returns s without secrets, fit for a terminal.
func (r Sanitizer) Sanitize(s string) string { return Printable(r.Text(s)) }

// Err returns an error of the same identity as err whose text holds no secret and is fit for a terminal.
func (r Sanitizer) Err(err error) error {
	if err == nil {
		return nil
	}
	return &sanitizedError{cause: err, text: ShownText(r.Text(err.Error()))}
}

type sanitizedError struct {
	cause error
	text  string
}

func (e *sanitizedError) Error() string { return e.text }

func (e *sanitizedError) Unwrap() error { return e.cause }

// HideTyped makes r hide those of the texts, as somebody typed them, that may hold a user name and a password.
func (r Sanitizer) HideTyped(texts ...string) {
	for _, text := range texts {
		if _, err := redact.Parse(text); err != nil && redact.MayHoldUser(text) {
			r.Hiding(text)
			r.Hiding(Printable(text))
		}
	}
}
