package main

import (
	"errors"
	"io"
	"strings"
	"testing"
)

func TestARedactedErrorStaysTheSameError(t *testing.T) {
	err := newRedactor().err(errors.Join(io.ErrUnexpectedEOF, errors.New("redis://:hunter2@h")))
	if !errors.Is(err, io.ErrUnexpectedEOF) || strings.Contains(err.Error(), "hunter2") {
		t.Errorf("%v", err)
	}
	if newRedactor().err(nil) != nil {
		t.Error("no error became one")
	}
}
