package ui

import (
	"errors"
	"io"
	"strings"
	"testing"
)

func TestARedactedErrorStaysTheSameError(t *testing.T) {
	err := NewSanitizer().Err(errors.Join(io.ErrUnexpectedEOF, errors.New("redis://:hunter2@h")))
	if !errors.Is(err, io.ErrUnexpectedEOF) || strings.Contains(err.Error(), "hunter2") {
		t.Errorf("%v", err)
	}
	if NewSanitizer().Err(nil) != nil {
		t.Error("no error became one")
	}
}
