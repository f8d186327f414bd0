package location

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/lanyardctl/lanyardctl/internal/exit"
	"github.com/lanyardctl/lanyardctl/internal/ui"
	"github.com/lanyardctl/lanyardctl/record"
	"github.com/lanyardctl/lanyardctl/store/layout"
	"github.com/lanyardctl/lanyardctl/store/redis"
)

// SourceOptions say where a source is, and how to read it.
type SourceOptions struct {
	Location
	Request layout.Request // what is read

	RedisSettings
	MongoSettings
	DynamoSettings
	Timeout, RetryFor time.Duration
	AllowShrinking    bool
	MaxRate           int  // of Redis: keys a second that are scanned at most; zero for any number
	Replica           bool // of Redis: replicas are read in place of masters
	Notify            func(message string)

	Dedupe string // see [TargetOptions]
}

// RedisSettings are how a Redis is reached.
type RedisSettings struct {
	IPv6 bool // IPv6 alone
	TLS  redis.TLS
}

// Source is an open source.
type Source interface {
	Facts() SourceFacts

	// Reading returns a new reading of what was asked for. They follow each other.
	Reading() record.Source

	// Remarks returns what happened to the source meanwhile that a person should know.
	Remarks() []string

	Close() error
}

// ByUser is a source of which the keys of the named users are looked up, in place of a look at every key.
type ByUser interface {
	Source

	// ReadingWith is a Reading that looks at API keys beside the users' current ones, such as those that a target has
	// of them.
	ReadingWith(keys map[record.UserID][]string) record.Source

	// HasUsers reports whether there is anything of the users, as far as keys' names tell.
	HasUsers(ctx context.Context) (bool, error)

	// Scan returns a reading that looks at every key.
	Scan() record.Source
}

// Live is a source whose changes can be followed, and of which nothing is scanned.
type Live interface {
	record.APIKeyOwners
	Facts() SourceFacts

	// Follow opens the feed of the changes of what was asked for, in the way that is named, or in the best one there is. Its
	// errors are explained.
	Follow(ctx context.Context, way record.FeedWay) (record.Feed, error)

	// PointsWith returns a reader of single users, which looks at API keys beside the users' current ones.
	PointsWith(keys map[record.UserID][]string) record.PointReader

	Close() error
}

// SourceFacts are what people are told of an open source.
type SourceFacts struct {
	Is       string   // "Redis 7.0.15, master, db 0, 1,234 keys"
	Warnings []string // what a person should know of it
	Where    string   // which part of it is read: "db 0"
	Others   string   // how to name another: "redis://HOST:PORT/N names database N"
	Expires  bool     // some keys have a time to live
	ByUser   bool     // named users alone are looked up; of a [ByUser], what is no user's own key is not seen
}

// Dates returns what the source says of monitoring dates. It has to be opened with a request for them.
func Dates(s Source) record.DateSource { return layout.DateSource(s.Reading()) }

// errFound ends a search.
var errFound = errors.New("found")

// finder is a source that tells in a way of its own whether it holds anything.
type finder interface {
	// found fails where the source holds nothing of what is copied.
	found(ctx context.Context) error
}

// findPage reads until a page is as it should be, and reports whether one is.
func findPage(ctx context.Context, reading record.Source, should func(record.Page) bool) (found bool, err error) {
	parts, err := reading.Parts(ctx)
	if err != nil {
		return false, err
	}
	for _, part := range parts {
		err := part.Read(ctx, "", func(p record.Page) error {
			if should(p) {
				return errFound
			}
			return nil
		})
		if errors.Is(err, errFound) {
			return true, nil
		}
		if err != nil {
			return false, err
		}
	}
	return false, nil
}

// FindLanyard reads until it meets a key of Lanyard's, most often on the first page, unless there is one of the named
// users. It fails where there is none.
func (r Registry) FindLanyard(ctx context.Context, source Source, o SourceOptions) error {
	if finder, ok := source.(finder); ok {
		return r.ExplainSource(finder.found(ctx), o)
	}
	reading := source.Reading
	if users, ok := source.(ByUser); ok {
		if found, err := users.HasUsers(ctx); err != nil {
			return r.ExplainSource(err, o)
		} else if found {
			return nil
		}
		reading = users.Scan
	}
	var seen record.KeyCounts
	found, err := findPage(ctx, reading(), func(p record.Page) bool {
		seen.Add(p.Seen)
		return seen.Known() > 0
	})
	switch {
	case err != nil:
		return r.ExplainSource(err, o)
	case found:
		return nil
	}
	facts := source.Facts()
	return exit.Failure(fmt.Errorf("%s of %s in %s look like Lanyard's: is it the right database?",
		ui.Thousands(seen.Lanyard), ui.Plural(seen.Keys, "key"), facts.Where),
		facts.Others+"; --allow-empty continues without any key")
}
