package location

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/dustin/go-humanize/english"

	"github.com/lanyardctl/lanyardctl/internal/exit"
	"github.com/lanyardctl/lanyardctl/internal/redact"
	"github.com/lanyardctl/lanyardctl/record"
	"github.com/lanyardctl/lanyardctl/store/dynamo"
	"github.com/lanyardctl/lanyardctl/store/redis"
)

// Scheme is what the factories of sources and of targets have in common.
type Scheme struct {
	Schemes []string // "redis", "rediss"
	Forms   []string // of the URIs, for people: "redis://", "rediss:// (TLS)"

	// Local tells that the URIs name a file or a folder, as scheme:PATH, so that they hold no password.
	Local bool

	// Check fails with a wrong use where the URI cannot be meant. Nothing is opened.
	Check func(Location) error

	// Awaited says what is done while a location is opened, without its password.
	Awaited func(Location) string
}

// SourceScheme opens the sources whose URIs have one of its schemes.
type SourceScheme struct {
	Scheme

	// Still tells that what it names does not change while it is read, as a file.
	Still bool

	// Open opens the source. Its errors are explained.
	Open func(context.Context, SourceOptions) (Source, error)

	// OpenStore opens the store that a running Lanyard reads and writes. It is nil where there is none, as for a file. Its
	// errors are explained.
	OpenStore func(context.Context, SourceOptions) (Store, error)

	// OpenLive opens the source to follow its changes. It is nil where there are none, as for a file. Its errors are explained.
	OpenLive func(context.Context, SourceOptions) (Live, error)

	// Explain gives an error of the source its exit code and the next step. It returns other errors as they are.
	Explain func(error, SourceOptions) error
}

// TargetScheme opens the targets whose URIs have one of its schemes; see [SourceScheme].
type TargetScheme struct {
	Scheme

	// Open opens the target to merge records into it, and to read it back.
	Open func(context.Context, TargetOptions) (PairTarget, error)

	// OpenWhole opens the target for all that commands do with one. It is nil where they do no more than Open is for.
	OpenWhole func(context.Context, TargetOptions) (Target, error)

	// OpenItems opens the target for single items of tables. It is nil where there are none. Its errors are explained.
	OpenItems func(context.Context, TargetOptions) (items record.Items, closeIt func(context.Context) error, err error)

	Explain func(error, TargetOptions) error
}

// Registry knows what can be opened.
type Registry struct {
	Sources []SourceScheme
	Targets []TargetScheme

	sourceNamed, targetNamed naming
}

// Default returns all that this program opens, from Redis to MongoDB.
func Default() Registry {
	return Registry{
		Sources: []SourceScheme{redisScheme, rdbScheme}, sourceNamed: redisSourceNamed,
		Targets: []TargetScheme{mongoScheme, embeddedScheme}, targetNamed: mongoTargetNamed,
	}
}

// Back returns all that this program opens for the way back, from MongoDB to Redis.
func Back() Registry {
	return Registry{
		Sources: []SourceScheme{mongoSourceScheme, embeddedSourceScheme}, sourceNamed: mongoSourceNamed,
		Targets: []TargetScheme{redisTargetScheme, rdbTargetScheme}, targetNamed: redisTargetNamed,
	}
}

// Tables returns all that this program opens from DynamoDB to MongoDB.
func Tables() Registry {
	return Registry{
		Sources: []SourceScheme{dynamoSourceScheme}, sourceNamed: dynamoNamed,
		Targets: []TargetScheme{mongoScheme, embeddedScheme}, targetNamed: mongoTargetNamed,
	}
}

// TablesBack returns all that this program opens from MongoDB to DynamoDB.
func TablesBack() Registry {
	return Registry{
		Sources: []SourceScheme{mongoSourceScheme, embeddedSourceScheme}, sourceNamed: mongoSourceNamed,
		Targets: []TargetScheme{dynamoTargetScheme}, targetNamed: dynamoNamed,
	}
}

// Items returns all that keeps tables of which single items are read and written; see [ResolveItems].
func Items() Registry {
	return Registry{Targets: []TargetScheme{dynamoTargetScheme, mongoScheme, embeddedScheme}}
}

// OpenItems opens the store at the location for single items of tables. Its errors know the exit code and the next step.
func (r Registry) OpenItems(ctx context.Context, o TargetOptions) (items record.Items, closeIt func(context.Context) error, err error) {
	t, err := r.target(o.Location)
	if err != nil {
		return nil, nil, err
	}
	return t.OpenItems(ctx, o)
}

// OpenSource opens the source at the location. Its errors know the exit code and the next step.
func (r Registry) OpenSource(ctx context.Context, o SourceOptions) (Source, error) {
	s, err := r.source(o.Location)
	if err != nil {
		return nil, err
	}
	return s.Open(ctx, o)
}

// OpenLive opens the source at the location to follow its changes. Its errors know the exit code and the next step.
func (r Registry) OpenLive(ctx context.Context, o SourceOptions) (Live, error) {
	s, err := r.source(o.Location)
	if err != nil {
		return nil, err
	}
	return s.OpenLive(ctx, o)
}

// CheckLive fails with a wrong use where the source at the location has no changes to follow.
func (r Registry) CheckLive(at Location) error {
	s, err := r.source(at)
	switch {
	case err != nil:
		return err
	case s.OpenLive == nil:
		return exit.WrongUse(at.From+" names a file, which does not change",
			"name the Redis itself, such as redis://localhost:6379, or copy the file once: lanyardctl migrate redis-to-mongo")
	}
	return nil
}

// ExplainSource gives an error of the source its exit code and the next step. It returns other errors as they are.
func (r Registry) ExplainSource(err error, o SourceOptions) error {
	if s, unknown := r.source(o.Location); unknown == nil {
		return s.Explain(err, o)
	}
	return err
}

// Still reports whether the source at the location does not change while it is read.
func (r Registry) Still(at Location) bool {
	s, err := r.source(at)
	return err == nil && s.Still
}

// OpenPairTarget opens the target at the location to merge records into it, and to read it back. Its errors know the exit
// code and the next step.
func (r Registry) OpenPairTarget(ctx context.Context, o TargetOptions) (PairTarget, error) {
	t, err := r.target(o.Location)
	if err != nil {
		return nil, err
	}
	return t.Open(ctx, o)
}

// OpenTarget opens the target at the location. Its errors know the exit code and the next step.
func (r Registry) OpenTarget(ctx context.Context, o TargetOptions) (Target, error) {
	t, err := r.target(o.Location)
	if err != nil {
		return nil, err
	}
	return t.OpenWhole(ctx, o)
}

// ExplainTarget gives an error of the target its exit code and the next step. It returns other errors as they are.
func (r Registry) ExplainTarget(err error, o TargetOptions) error {
	if t, unknown := r.target(o.Location); unknown == nil {
		return t.Explain(err, o)
	}
	return err
}

// Explained returns the first of the explanations of an error that knows the next step. Otherwise is the next step
// where none does, and where a server does not answer, of whichever side it is.
func Explained(err error, otherwise string, explanations ...error) error {
	answered := redis.Passes(err) || errors.Is(err, dynamo.ErrThrottled) || !errors.Is(err, record.ErrUnavailable)
	for _, explanation := range explanations {
		if known, ok := errors.AsType[*exit.Error](explanation); ok && answered {
			return known
		}
	}
	return exit.Failure(err, otherwise)
}

// Away reports whether a source that was open before cannot be opened now for a reason that passes by itself, or by what is
// done to the server.
func Away(err error) bool { return errors.Is(err, redis.ErrUnreachable) || redis.Passes(err) }

func (r Registry) source(at Location) (SourceScheme, error) {
	return schemeOf(at, r.Sources, func(s SourceScheme) Scheme { return s.Scheme })
}

func (r Registry) target(at Location) (TargetScheme, error) {
	return schemeOf(at, r.Targets, func(t TargetScheme) Scheme { return t.Scheme })
}

// schemeOf returns the one of the known factories that opens the location.
func schemeOf[F any](at Location, known []F, of func(F) Scheme) (found F, err error) {
	certain := redact.Scheme(at.URI)
	typed, _, colon := strings.Cut(strings.ToLower(at.URI), ":")
	var forms []string
	for _, f := range known {
		s := of(f)
		if slices.Contains(s.Schemes, typed) && (certain != "" || s.Local && colon) {
			return f, nil
		}
		forms = append(forms, s.Forms...)
	}
	hint := "it begins with " + english.WordSeries(forms, "or")
	if certain == "" {
		return found, badURI(at, hint)
	}
	return found, exit.WrongUse(fmt.Sprintf("%s: unknown scheme %q", at.From, certain), hint)
}
