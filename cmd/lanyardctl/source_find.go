package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/lanyardctl/lanyardctl/internal/exit"
	"github.com/lanyardctl/lanyardctl/internal/ui"
	"github.com/lanyardctl/lanyardctl/record"
)

// errFound ends a search.
var errFound = errors.New("found")

// findLanyard reads until it meets a key of Lanyard's, most often on the first page. It fails where there is none, before
// anything is written.
func findLanyard(ctx context.Context, source *redisSource, at redisPlace) error {
	parts, err := source.reading().Parts(ctx)
	if err != nil {
		return explainSource(err, at)
	}
	var seen record.Seen
	for _, part := range parts {
		err := part.Read(ctx, "", func(p record.Page) error {
			seen.Add(p.Seen)
			if seen.Known() > 0 {
				return errFound
			}
			return nil
		})
		if errors.Is(err, errFound) {
			return nil
		}
		if err != nil {
			return explainSource(err, at)
		}
	}
	return exit.Failure(fmt.Errorf("%s of %s in db %d look like Lanyard's: is it the right database?",
		ui.Thousands(seen.Lanyard), ui.Plural(seen.Keys, "key"), source.db),
		source.otherDB+" names database N; --allow-empty goes on without any key")
}
