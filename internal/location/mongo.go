package location

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/lanyardctl/lanyardctl/internal/exit"
	"github.com/lanyardctl/lanyardctl/internal/retry"
	"github.com/lanyardctl/lanyardctl/internal/ui"
	"github.com/lanyardctl/lanyardctl/record"
	"github.com/lanyardctl/lanyardctl/store/mongo"
)

var mongoScheme = TargetScheme{
	Scheme: Scheme{
		Schemes: []string{"mongodb", "mongodb+srv"}, Forms: []string{"mongodb://", "mongodb+srv://"}, Check: checkMongo, Awaited: awaitedMongo,
	},
	Open:      func(ctx context.Context, o TargetOptions) (PairTarget, error) { return openMongoServer(ctx, o) },
	OpenWhole: openMongoServer,
	OpenItems: openMongoItems(openMongoServer),
	Explain:   explainMongo,
}

func openMongoServer(ctx context.Context, o TargetOptions) (Target, error) {
	return openMongo(ctx, o.URI, o, func(context.Context) error { return nil })
}

// openMongoItems opens a MongoDB for the collections to which tables were copied.
func openMongoItems(open func(context.Context, TargetOptions) (Target, error)) func(context.Context, TargetOptions) (record.Items, func(context.Context) error, error) {
	return func(ctx context.Context, o TargetOptions) (record.Items, func(context.Context) error, error) {
		target, err := open(ctx, o)
		if err != nil {
			return nil, nil, err
		}
		return target.(mongoTarget).Store.Items(), target.Close, nil
	}
}

const mongoForm = "mongodb://USER:PASSWORD@HOST:27017/?authSource=admin"

func checkMongo(at Location) error {
	u, err := parseURI(at, mongoForm)
	if err != nil {
		return err
	}
	for host := range strings.SplitSeq(u.Hosts, ",") {
		if host == "" || strings.HasPrefix(host, ":") {
			return exit.WrongUse(at.From+": the URI names no host, or has a comma too many", "such as mongodb://localhost:27017")
		}
	}
	return nil
}

// mongoTarget is an open MongoDB.
type mongoTarget struct {
	*mongo.Store
	closeServer func(context.Context) error // where the server is ours
}

// openMongo connects to the MongoDB with the URI. Its errors know the exit code and the next step. The server that
// closeServer closes is closed after the connections, and after a failure.
func openMongo(ctx context.Context, uri string, o TargetOptions, closeServer func(context.Context) error) (Target, error) {
	store, err := mongo.Open(ctx, mongo.Options{
		URI: uri, ServerName: o.ServerName, Database: o.Database, Timeout: o.Timeout, ReadOnly: o.ReadOnly, CommandTimeout: o.RetryFor,
	})
	if err != nil {
		closing, drained := retry.Drain(ctx, retry.CloseTime)
		defer drained()
		if closeErr := closeServer(closing); closeErr != nil {
			err = errors.Join(err, closeErr)
		}
		return nil, explainMongo(err, o)
	}
	return mongoTarget{store, closeServer}, nil
}

// Facts implements [Described].
func (t mongoTarget) Facts() TargetFacts {
	return TargetFacts{Is: describeMongo(t.Info()), Warnings: serverWarnings(t.Info())}
}

// Sink implements [Mergeable].
func (t mongoTarget) Sink(ctx context.Context, o MergeOptions) (record.Sink, []string, error) {
	sink, err := t.Store.Sink(ctx, mongo.SinkOptions{Kinds: o.Kinds, Policy: o.Policy, Mirror: o.Mirror, DryRun: o.DryRun, Notify: o.Notify})
	if err != nil {
		return nil, nil, err
	}
	return sink, mongoWarnings(sink.Warnings()), nil
}

// Checkpoints implements [Mergeable].
func (t mongoTarget) Checkpoints() record.Checkpoints { return t.Store.Checkpoints() }

// Runs implements [Mergeable].
func (t mongoTarget) Runs() record.Runs { return t.Store.Runs() }

// WriteHints implements [Mergeable].
func (t mongoTarget) WriteHints() (workers, batchSize int) {
	hints := t.Store.WriteHints()
	return hints.Workers, hints.BatchSize
}

// Reader implements [Comparable].
func (t mongoTarget) Reader(users []record.UserID) record.TargetReader {
	return t.Store.Reader(mongo.ReaderOptions{Users: users})
}

// CheckWritable implements [Sweepable].
func (t mongoTarget) CheckWritable(ctx context.Context, collections []record.Collection) ([]string, error) {
	notices, err := t.Store.CheckWritable(ctx, collections)
	return mongoWarnings(notices), err
}

// Documents implements [Sweepable].
func (t mongoTarget) Documents() record.Documents { return t.Store.Documents() }

// Journal implements [Sweepable].
func (t mongoTarget) Journal() record.Journal { return t.Store.Journal() }

// Leases implements [Sweepable].
func (t mongoTarget) Leases() record.Leases { return t.Store.Leases() }

// Persistence implements [Persistent].
func (t mongoTarget) Persistence() record.Persistence { return t.Store.Persistence() }

// Close implements [Target].
func (t mongoTarget) Close(ctx context.Context) error {
	ctx, drained := retry.Drain(ctx, retry.CloseTime)
	defer drained()
	err := t.Store.Close(ctx)
	return errors.Join(err, t.closeServer(ctx))
}

// explainMongo gives an error of a MongoDB its exit code and the next step.
func explainMongo(err error, o TargetOptions) error {
	from := o.From
	var (
		duplicates *mongo.DuplicatesError
		unwritable *mongo.UnwritableError
		index      *mongo.IndexError
		late       *mongo.IndexTimeError
		damaged    *mongo.DamagedError
	)
	if own, ok := errors.AsType[*mongo.TLSError](err); ok {
		if hint := mongoTLSWords.Hint(own, from, time.Now()); hint != "" {
			return exit.Failure(err, hint)
		}
	}
	switch {
	case errors.As(err, &damaged):
		return exit.Failure(err, damagedHint(damaged))
	case errors.Is(err, mongo.ErrURI):
		return exit.WrongUse(fmt.Sprintf("%s: %v", from, err), "such as "+mongoForm)
	case errors.Is(err, mongo.ErrUnreachable) && errors.Is(err, mongo.ErrNoHost):
		return exit.Failure(err, unknownHost(from))
	case errors.Is(err, mongo.ErrUnreachable):
		return exit.Failure(err, fmt.Sprintf("is the server running, and is %s right? (waited at most %s; --timeout waits longer)", from, o.Timeout))
	case errors.Is(err, mongo.ErrAuth):
		return exit.Failure(err, "check the user, the password and authSource in "+from)
	case errors.Is(err, mongo.ErrPermission):
		role := "readWrite"
		if o.ReadOnly {
			role = "read"
		}
		return exit.Failure(err, "name a user in "+from+" and give it the role "+role+" on the database")
	case errors.Is(err, mongo.ErrNotPrimary):
		return exit.Failure(err, "name the primary in "+from+", or the set (replicaSet=NAME, without directConnection), so that the primary is found; "+
			"--dry-run and verify read any member")
	case errors.As(err, &unwritable):
		return exit.Failure(err, unwritable.Remedy+", or name another database by --database; then run the same command again")
	case errors.As(err, &index):
		return exit.Failure(err, fmt.Sprintf("drop it (db.%s.dropIndex(%q)), and run the same command again, which makes the unique one", index.Collection, index.Index))
	case errors.As(err, &late):
		wait, quorum := "wait", ""
		if late.Set {
			wait, quorum = "bring the members back that are down, or wait", `, "majority"`
		}
		return exit.Failure(err, fmt.Sprintf("%s until db.currentOp() shows no index build, and run the same command again: what was copied stays; "+
			"or make it yourself: db.%s.createIndex({%s: 1}, {unique: true, name: %q, collation: {locale: \"simple\"}}%s)",
			wait, late.Collection, late.Field, late.Index, quorum))
	case errors.Is(err, mongo.ErrTooOld):
		return exit.Failure(err, "upgrade the server, or name another with --mongo")
	case errors.Is(err, record.ErrUnavailable):
		return exit.Failure(err, "run the same command again once the server answers")
	case errors.As(err, &duplicates):
		return exit.Failure(err, duplicatesHint(duplicates, o.Dedupe)+"; then run the same command again")
	}
	return err
}

// damagedHint says what to do about a document of lanyardctl's own that cannot be read.
func damagedHint(e *mongo.DamagedError) string {
	hint := "if you have a backup, put the document back; if not, delete it in a MongoDB shell: db." + e.Collection + ".deleteOne(" + e.Filter() + "). "
	switch {
	case e.IsLease():
		return hint + "Before that, make sure that no lanyardctl is running on this database"
	case e.Collection == mongo.SweepsCollection:
		return hint + "Nothing else is lost, but lanyardctl can no longer undo the sweep that the document describes"
	case e.Collection == mongo.SweepChangesCollection:
		return hint + "sweep undo then restores everything else that the sweep changed, and leaves this one document as it is now"
	}
	return hint + "The next migration then starts from the beginning, which does no harm"
}

// duplicatesHint says what to do about documents that stand where one should be. Dedupe is what to type.
func duplicatesHint(e *mongo.DuplicatesError, dedupe string) string {
	switch {
	case e.Field == "type":
		return "Lanyard reads any one of them: keep the right one, and delete the others"
	case e.Field == "key":
		return dedupe + " makes one document of those of one user, and removes those without a key; of those that several users have, " +
			"keep that of the user whose key it is, and delete the others"
	case !slices.ContainsFunc(e.Values, isUser):
		return "these are no user's, and Lanyard never reads them: give them the right user_id, or delete them"
	}
	return "Lanyard reads any one of them. " + dedupe + " makes one document of those that agree and names the others, which you have to decide"
}

func isUser(text string) bool {
	_, ok := record.ParseUserID(text)
	return ok
}

// describeMongo says what the server is: "MongoDB 7.0.14, replica set rs0". An embedded FerretDB does not know its
// version.
func describeMongo(i mongo.Info) string {
	name := i.Server
	if i.Version != "" {
		name += " " + i.Version
	}
	return name + ", " + i.Topology
}

// serverWarnings says what a person should know of the server.
func serverWarnings(i mongo.Info) []string {
	var list []string
	if i.Lagging != "" {
		text := fmt.Sprintf("MongoDB at %s is not the primary of its replica set: what it holds may be old", i.Lagging)
		if i.Primary != "" {
			text += "; the primary is " + i.Primary
		}
		list = append(list, text)
	}
	if len(i.Down) > 0 {
		list = append(list, fmt.Sprintf("the target's replica set has %s down: %s", ui.Plural(int64(len(i.Down)), "member"), strings.Join(i.Down, ", ")))
	}
	return list
}

// mongoWarnings says what a person should know of what the target holds.
func mongoWarnings(warnings []mongo.Warning) []string {
	var list []string
	for _, n := range warnings {
		if n.Note == record.Collated {
			list = append(list, fmt.Sprintf("%s in the target compares text by a collation (%s): lanyardctl compares it byte by byte, so that "+
				"the collection's own indexes do not help it, and a run with many changes there takes long", n.Collection, n.Collation))
			continue
		}
		users := strings.Join(n.Users, ", ")
		if int64(len(n.Users)) < n.Count {
			users += ", …"
		}
		list = append(list, fmt.Sprintf("%s of %s in the target with a number as user_id, which Lanyard cannot see (sweep --dedupe makes text of it): %s",
			ui.Plural(n.Count, "document"), n.Collection, users))
	}
	return list
}
