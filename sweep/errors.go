package sweep

import "errors"

// Errors of [Job.Run] and [UndoJob.Run].
var (
	ErrUnknown  = errors.New("no such sweep")
	ErrUndone   = errors.New("the sweep was taken back already")
	ErrTempFile = errors.New("sort in a temporary file")
)
