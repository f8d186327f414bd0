package mem

import (
	"context"
	"slices"
)

// pageSize is how much a page holds: little, so that tests see several.
const pageSize = 3

// inPages delivers a list some at a time.
func inPages[T any](ctx context.Context, list []T, yield func([]T) error) error {
	for page := range slices.Chunk(list, pageSize) {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := yield(page); err != nil {
			return err
		}
	}
	return nil
}
