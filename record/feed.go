package record

import "context"

// SourceChange tells of what a source may hold something else than before.
type SourceChange struct {
	Kind Kind
	User UserID // zero for what is nobody's, and where APIKey is given

	// APIKey is a key that came, went or passed to another user. Whose it was nobody tells. It is a secret.
	APIKey string
}

// FeedWay is a way to see changes.
type FeedWay string

// The ways, the best one first.
const (
	Tracking      FeedWay = "tracking"      // the server tells of each change, whoever made it
	Notifications FeedWay = "notifications" // the server tells of each change if it is configured to
	Polling       FeedWay = "polling"       // nobody tells: everything is looked at, again and again
)

// Feed tells of changes of a source as they happen. It is open from the start: what changes after it was opened is told.
type Feed interface {
	// Way returns how the feed sees changes, and, for people, why in no better way and what to do about it; nothing for the
	// best one, and for one that was asked for.
	Way() (way FeedWay, why string)

	// Follow delivers changes until ctx ends, or until some may have been missed, as when a connection was lost or another
	// server took over: its error says why. Then the feed is of no use any more. It is called once.
	Follow(ctx context.Context, to FeedListener) error

	// Barrier returns once all that had changed when it was called was delivered. It may be called while Follow runs. A feed
	// that polls has nothing to wait for.
	Barrier(ctx context.Context) error

	// Close ends the feed, and Follow.
	Close() error
}

// FeedListener takes what a feed delivers. Its methods return at once: what nobody takes waits in the server's memory.
type FeedListener interface {
	// Changed takes changes. The same one may come any number of times, and one that changed nothing.
	Changed(changes []SourceChange)

	// Everything tells that anything may have changed, such as by FLUSHDB. Why is for people.
	Everything(why string)
}

// APIKeyOwners tells whom API keys authenticate, in a source or in a target.
type APIKeyOwners interface {
	// APIKeyOwners returns the users of those of the keys that authenticate somebody: in a target, those of documents that
	// bear one. It may be called at any time, again, and from several goroutines.
	APIKeyOwners(ctx context.Context, keys []string) (map[string]UserID, error)
}
