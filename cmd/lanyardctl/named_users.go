package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/lanyardctl/lanyardctl/internal/exit"
	"github.com/lanyardctl/lanyardctl/internal/invocation"
	"github.com/lanyardctl/lanyardctl/internal/report"
	"github.com/lanyardctl/lanyardctl/internal/ui"
	"github.com/lanyardctl/lanyardctl/record"
)

// namedUsers are the users whom --user names and of whom a source has not delivered anything so far.
type namedUsers struct {
	mu      sync.Mutex
	unknown map[record.UserID]bool
}

func newNamedUsers(users []record.UserID) *namedUsers {
	n := &namedUsers{unknown: make(map[record.UserID]bool)}
	for _, user := range users {
		n.unknown[user] = true
	}
	return n
}

// list returns the users in order.
func (n *namedUsers) list() []record.UserID {
	n.mu.Lock()
	defer n.mu.Unlock()
	return slices.Sorted(maps.Keys(n.unknown))
}

// meet takes those off of whom the page tells something, if only a reject.
func (n *namedUsers) meet(page record.Page) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, item := range page.Items {
		if item.Record != nil {
			delete(n.unknown, item.Record.User)
		}
		for _, reject := range item.Rejects {
			delete(n.unknown, reject.User)
		}
	}
}

// watch returns the source, which tells n of whom it delivers.
func (n *namedUsers) watch(source record.Source) record.Source {
	if len(n.list()) == 0 {
		return source
	}
	return watchedSource{source, n}
}

type watchedSource struct {
	record.Source
	named *namedUsers
}

// Parts implements [record.Source].
func (s watchedSource) Parts(ctx context.Context) ([]record.Part, error) {
	parts, err := s.Source.Parts(ctx)
	watched := make([]record.Part, len(parts)) // the source may keep its own
	for i, part := range parts {
		watched[i] = watchedPart{part, s.named}
	}
	return watched, err
}

// Deferred implements [record.Source].
func (s watchedSource) Deferred(ctx context.Context, yield func(record.Page) error) error {
	return s.Source.Deferred(ctx, s.named.watched(yield))
}

type watchedPart struct {
	record.Part
	named *namedUsers
}

// Read implements [record.Part].
func (p watchedPart) Read(ctx context.Context, from string, yield func(record.Page) error) error {
	return p.Part.Read(ctx, from, p.named.watched(yield))
}

func (n *namedUsers) watched(yield func(record.Page) error) func(record.Page) error {
	return func(page record.Page) error {
		n.meet(page)
		return yield(page)
	}
}

// foundNobody returns an error where the source has nothing of any of the named users. Where it has something of
// others, or may be empty, it warns. Nothing is what --allow-empty continues without: "anything to copy".
func (r *pairRun) foundNobody(nothing string) error {
	unknown := r.named.list()
	if len(unknown) == 0 {
		return nil
	}
	user, id := "user", "is the id"
	if len(unknown) > 1 {
		user, id = "users", "are the ids"
	}
	text := fmt.Sprintf("the source has nothing of %s %s (%s): %s right?", user, report.SomeUsers(unknown), strings.Join(ui.Names(r.only.List()), ", "), id)
	if r.allowEmpty || len(unknown) < len(r.users) {
		r.warn(text)
		return nil
	}
	return exit.Failure(errors.New(text), r.emptyHint(nothing))
}

// emptyHint says what to do where the source has nothing of what was asked for.
func (r *pairRun) emptyHint(nothing string) string {
	hint := "--allow-empty continues without " + nothing
	if r.direction == invocation.ToMongo && r.byUser && r.only.Has(record.APIKeys) {
		hint += "; an api_key: entry that no user_api_key: names is found without --user alone"
	}
	return hint
}
