package main

import "github.com/lanyardctl/lanyardctl/internal/redact"

// redactor makes texts fit to be shown: without secrets, and with nothing that a terminal obeys.
type redactor struct{ *redact.Redactor }

// newRedactor returns a redactor for a run that uses the given URIs.
func newRedactor(uris ...string) redactor { return redactor{redact.New(uris...)} }

// said returns s without secrets, fit for a terminal.
func (r redactor) said(s string) string { return printable(r.Text(s)) }

// err returns an error of the same identity as err whose text holds no secret and is fit for a terminal.
func (r redactor) err(err error) error {
	if err == nil {
		return nil
	}
	return &redactedError{cause: err, text: r.said(err.Error())}
}

type redactedError struct {
	cause error
	text  string
}

func (e *redactedError) Error() string { return e.text }

func (e *redactedError) Unwrap() error { return e.cause }
