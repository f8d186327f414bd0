package location

import (
	"context"
	"errors"
	"fmt"

	"github.com/lanyardctl/lanyardctl/internal/exit"
	"github.com/lanyardctl/lanyardctl/record"
	"github.com/lanyardctl/lanyardctl/store/mongo"
)

var mongoSourceScheme = SourceScheme{Scheme: mongoScheme.Scheme, Open: openMongoSource(openMongoServer), Explain: explainMongoSource}

var embeddedSourceScheme = SourceScheme{Scheme: embeddedScheme.Scheme, Open: openMongoSource(openEmbedded), Explain: explainMongoSource}

// mongoSource is an open MongoDB that is read.
type mongoSource struct {
	mongoTarget
	*mongo.Source
	at         SourceOptions
	disconnect func() error
}

// asTarget returns how the MongoDB is opened, to be read alone.
func (o SourceOptions) asTarget() TargetOptions {
	return TargetOptions{
		Location: o.Location, MongoSettings: o.MongoSettings, ReadOnly: true, Missing: RefuseFolder, Timeout: o.Timeout, RetryFor: o.RetryFor, Dedupe: o.Dedupe,
	}
}

func openMongoSource(open func(context.Context, TargetOptions) (Target, error)) func(context.Context, SourceOptions) (Source, error) {
	return func(ctx context.Context, o SourceOptions) (Source, error) {
		opened, err := open(ctx, o.asTarget())
		if err != nil {
			return nil, err
		}
		target := opened.(mongoTarget)
		source, err := target.Source(ctx, mongo.SourceOptions{Kinds: o.Request.Kinds, Users: o.Request.Users, Now: o.Request.Now, Notify: o.Notify})
		if err != nil {
			return nil, errors.Join(explainMongoSource(err, o), target.Close(ctx))
		}
		return mongoSource{target, source, o, func() error { return target.Close(ctx) }}, nil
	}
}

// Facts implements [Source].
func (s mongoSource) Facts() SourceFacts {
	return SourceFacts{
		Is: describeMongo(s.Info()), Warnings: serverWarnings(s.Info()),
		Where: "database " + s.at.ShownDatabase(), Others: "--database or MONGODB_DATABASE names another", ByUser: len(s.at.Request.Users) > 0,
	}
}

// Reading implements [Source].
func (s mongoSource) Reading() record.Source { return s.Source }

// Close implements [Source].
func (s mongoSource) Close() error { return s.disconnect() }

// found implements [finder].
func (s mongoSource) found(ctx context.Context) error {
	kinds, whose := record.LanyardKinds, "Lanyard's"
	if tables := s.at.Request.Kinds & record.Tables(); tables != 0 {
		kinds, whose = tables, "these tables"
	}
	documents, err := s.Contents(ctx, kinds)
	if err != nil {
		return err
	}
	for _, n := range documents {
		if n > 0 {
			return nil
		}
	}
	facts := s.Facts()
	return exit.Failure(fmt.Errorf("%s holds nothing of %s: is it the right one?", facts.Where, whose), facts.Others+"; --allow-empty continues without any document")
}

// explainMongoSource gives an error of a MongoDB that is read its exit code and the next step.
func explainMongoSource(err error, o SourceOptions) error { return explainMongo(err, o.asTarget()) }
