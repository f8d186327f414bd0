package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/lanyardctl/lanyardctl/internal/exit"
	"github.com/lanyardctl/lanyardctl/internal/ui"
	"github.com/lanyardctl/lanyardctl/record"
	"github.com/lanyardctl/lanyardctl/store/embedded"
	"github.com/lanyardctl/lanyardctl/store/mongo"
)

// mongoTarget is an open MongoDB and, for an embedded one, its server.
type mongoTarget struct {
	*mongo.Store
	server  *embedded.Server // nil where the server is not ours
	scratch string           // folder to remove; empty where there is none
}

// missingFolder says what becomes of an embedded database whose folder does not exist.
type missingFolder uint8

const (
	makeFolder   missingFolder = iota // it is made
	emptyFolder                       // an empty one elsewhere stands in for it
	refuseFolder                      // that is an error
)

// openMongo connects to the MongoDB that the options name, which it starts where it is an embedded one. Its errors know
// the exit code and the next step.
func openMongo(ctx context.Context, o targetOptions, missing missingFolder) (*mongoTarget, error) {
	t := &mongoTarget{}
	uri := o.target.URI
	if dir := embeddedDir(uri); dir != "" {
		dir, err := t.folder(dir, missing)
		if err != nil {
			return nil, err
		}
		server, err := embedded.Start(ctx, embedded.Options{Dir: dir})
		if err != nil {
			return nil, errors.Join(explainEmbedded(err), t.removeScratch())
		}
		t.server, uri = server, server.URI()
	}
	store, err := mongo.Open(ctx, mongo.Options{
		URI: uri, ServerName: o.name, Database: o.database, Timeout: o.timeout, ReadOnly: o.readOnly, CommandTimeout: o.retryFor,
	})
	if err != nil {
		closing, drained := record.Drain(ctx, record.CloseTime)
		defer drained()
		if closeErr := t.closeServer(closing); closeErr != nil {
			err = errors.Join(err, closeErr)
		}
		return nil, explainMongo(err, o)
	}
	t.Store = store
	return t, nil
}

// folder returns the folder to use for the embedded database in dir.
func (t *mongoTarget) folder(dir string, missing missingFolder) (string, error) {
	if missing == makeFolder {
		return dir, nil
	}
	_, err := os.Stat(dir)
	switch {
	case !errors.Is(err, fs.ErrNotExist):
		return dir, nil // what else is the matter with it, the server says better
	case missing == refuseFolder:
		return "", exit.Failure(fmt.Errorf("the embedded folder %s does not exist", dir), "is the path right? A migration makes the folder")
	}
	if t.scratch, err = os.MkdirTemp("", "lanyardctl-dry-run-*"); err != nil {
		return "", fmt.Errorf("make a folder for the dry run: %w", err)
	}
	return t.scratch, nil
}

func explainMongo(err error, o targetOptions) error {
	from := o.target.From
	var (
		duplicates *mongo.DuplicatesError
		unwritable *mongo.UnwritableError
		index      *mongo.IndexError
		late       *mongo.IndexTimeError
	)
	if own, ok := errors.AsType[*mongo.TLSError](err); ok {
		if hint := mongoTLSWords.Hint(own, from, time.Now()); hint != "" {
			return exit.Failure(err, hint)
		}
	}
	switch {
	case errors.Is(err, mongo.ErrURI):
		return exit.WrongUse(fmt.Sprintf("%s: %v", from, err), "such as "+mongoForm)
	case errors.Is(err, mongo.ErrUnreachable):
		return exit.Failure(err, fmt.Sprintf("is the server running, and is %s right? (waited at most %s; --timeout waits longer)", from, o.timeout))
	case errors.Is(err, mongo.ErrAuth):
		return exit.Failure(err, "check the user, the password and authSource in "+from)
	case errors.Is(err, mongo.ErrPermission):
		role := "readWrite"
		if o.readOnly {
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
		return exit.Failure(err, duplicatesHint(duplicates, o)+"; then run the same command again")
	}
	return err
}

// duplicatesHint says what to do about documents that stand where one should be.
func duplicatesHint(e *mongo.DuplicatesError, o targetOptions) string {
	dedupe := o.again.As(sweepName, sameTarget...).With("dedupe").String()
	switch {
	case e.Field == "type":
		return "Lanyard reads any one of them: keep the right one, and delete the others"
	case e.Field == "key":
		return dedupe + " makes one document of those of one user, and removes those without a key; of those that several users have, " +
			"keep that of the user whose key it is, and delete the others"
	case !slices.ContainsFunc(e.Values, isUser):
		return "these are no user's, and Lanyard never reads them: give them the right user_id, or delete them"
	}
	return "Lanyard reads any one of them. " + dedupe + " makes one document of those that agree and names the others, which are yours to decide"
}

func isUser(text string) bool {
	_, ok := record.ParseUserID(text)
	return ok
}

// Close ends the connections and the server. Where ctx is cancelled it does not wait for one that hangs.
func (t *mongoTarget) Close(ctx context.Context) error {
	ctx, drained := record.Drain(ctx, record.CloseTime)
	defer drained()
	err := t.Store.Close(ctx)
	return errors.Join(err, t.closeServer(ctx))
}

func (t *mongoTarget) closeServer(ctx context.Context) error {
	var err error
	if t.server != nil {
		closed := make(chan error, 1)
		go func() { closed <- t.server.Close() }()
		select {
		case err = <-closed:
		case <-ctx.Done():
			err = errors.New("the embedded server is still busy")
		}
	}
	return errors.Join(err, t.removeScratch())
}

func (t *mongoTarget) removeScratch() error {
	if t.scratch == "" {
		return nil
	}
	return os.RemoveAll(t.scratch)
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
func mongoWarnings(notices []mongo.Notice) []string {
	var list []string
	for _, n := range notices {
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
