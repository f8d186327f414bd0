package mirror

import (
	"cmp"
	"context"
	"time"

	"github.com/lanyardctl/lanyardctl/record"
)

// Session is a source that was opened, with the feed of its changes.
type Session struct {
	Feed record.Feed

	// Points returns a reader of what the source holds now. It looks at the API keys beside the users' current ones.
	Points func(apiKeys map[record.UserID][]string) record.PointReader

	Owners record.APIKeyOwners
	Close  func() error
}

// Compared is what a comparison found besides differences.
type Compared struct {
	Documents [record.KindCount]int64 // of the target, that stand for something that the source holds
	Rejects   int64                   // values of the source that cannot be mirrored

	// Claims are API keys that name users of the source who have no current one that authenticates. Nothing but a look at
	// every key finds them.
	Claims map[record.UserID][]string
}

// Target is where to the source is mirrored.
type Target interface {
	record.TargetPointReader
	record.APIKeyOwners
}

// Sink merges and deletes.
type Sink interface {
	record.Sink
	record.Deleter
}

// Options says what to mirror, where to, and how.
type Options struct {
	// Open opens a new session, whose feed is open when it returns.
	Open func(ctx context.Context) (*Session, error)

	// Copy merges everything that the source holds into the target, and deletes nothing. The source is opened for it anew, and
	// may have lost what it held: unless AllowShrinking is set, its records are doubtful.
	Copy func(ctx context.Context) error

	// Compare compares everything for equality, and calls each with every difference, in no order. The source is opened for
	// it anew.
	Compare func(ctx context.Context, each func(record.Difference)) (Compared, error)

	Target Target

	// Sink returns a sink in mirror mode. With Beside it is called anew for each comparison, and the sinks do not write.
	Sink func(ctx context.Context) (Sink, error)

	Kinds record.Kinds

	// Leases are the target's. Only who has the lease writes.
	Leases record.Leases

	// Doing says for people what is mirrored: "sync of redis://localhost:6379".
	Doing string

	// Beside leaves the writing to another process that has the lease: what is written is only found out. It is of use with
	// UntilCaughtUp alone.
	Beside bool

	// UntilCaughtUp ends the run once nothing waits and a comparison finds nothing that the mirror would change.
	UntilCaughtUp bool

	// AllowShrinking deletes also what a source lost that lost most of its data.
	AllowShrinking bool

	// RejectsFile is where rejects are written, as NDJSON, mode 0600; superseded values go to its sibling.
	RejectsFile string

	FlushEvery     time.Duration // between the starts of two batches; DefaultFlushEvery where zero
	ReconcileEvery time.Duration // DefaultReconcileEvery where zero
	PollEvery      time.Duration // in place of ReconcileEvery where the feed polls; DefaultPollEvery where zero

	// RetryFor is how long an error that is not known to pass may come again and again; two minutes where zero. A server
	// that is away is waited for without an end.
	RetryFor time.Duration

	// Notify is told, in words for people, of what somebody should know. It is called from several goroutines.
	Notify func(message string)

	// Changed is called when the state becomes another one, for people; see [Job.State]. It may be nil.
	Changed func(state State)
}

// Defaults of [Options].
const (
	DefaultFlushEvery     = 50 * time.Millisecond
	DefaultReconcileEvery = 10 * time.Minute
	DefaultPollEvery      = 30 * time.Second
	defaultRetryFor       = 2 * time.Minute
)

// mostAtOnce is how many marks are worked on at a time, and how many do not wait for [Options.FlushEvery].
const mostAtOnce = record.MaxSteps

func (o Options) withDefaults() Options {
	o.FlushEvery = cmp.Or(max(o.FlushEvery, 0), DefaultFlushEvery)
	o.ReconcileEvery = cmp.Or(max(o.ReconcileEvery, 0), DefaultReconcileEvery)
	o.PollEvery = cmp.Or(max(o.PollEvery, 0), DefaultPollEvery)
	o.RetryFor = cmp.Or(max(o.RetryFor, 0), defaultRetryFor)
	if o.Notify == nil {
		o.Notify = func(string) {}
	}
	if o.Changed == nil {
		o.Changed = func(State) {}
	}
	return o
}
