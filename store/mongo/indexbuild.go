package mongo

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
)

// IndexError tells that an index is in the way of a unique one. It is an [ErrIndex].
type IndexError struct {
	Collection, Index string
	Field             string // on which the unique one has to be
}

func (e *IndexError) Error() string {
	return fmt.Sprintf("%v: %s of %s, on %s", ErrIndex, e.Index, e.Collection, e.Field)
}

// Unwrap returns [ErrIndex].
func (e *IndexError) Unwrap() error { return ErrIndex }

// IndexTimeError tells that the server did not make an index in the time that it got. It is an [ErrIndexTime].
type IndexTimeError struct {
	Collection, Index, Field string
	After                    time.Duration
	Set                      bool     // the server is in a replica set, or leads to several
	Down                     []string // members of the replica set that cannot do their part
}

func (e *IndexTimeError) Error() string {
	text := fmt.Sprintf("make the unique index on %s.%s: %v: the server was waited for %s", e.Collection, e.Field, ErrIndexTime, e.After.Round(time.Second))
	return text + downText(e.Down)
}

// Unwrap returns [ErrIndexTime].
func (e *IndexTimeError) Unwrap() error { return ErrIndexTime }

// downText names the members that are down, as the end of a sentence.
func downText(down []string) string {
	switch len(down) {
	case 0:
		return ""
	case 1:
		return "; the set has a member down: " + down[0]
	}
	return fmt.Sprintf("; the set has %d members down: %s", len(down), strings.Join(down, ", "))
}

// The server gets so long to make an index: the first for an empty collection, and the second more for so many documents,
// of which it takes some 100,000 a second.
const (
	indexTimeout       = 2 * time.Minute
	documentsPerSecond = 5_000
)

func (s *Sink) createIndex(ctx context.Context, u uniqueField) error {
	if !u.kind.Identified() {
		return nil
	}
	documents, err := s.estimate(ctx, collectionName(u.kind))
	if err != nil {
		return s.wrap("count the documents of "+collectionName(u.kind), err)
	}
	timeout := s.opts.IndexTimeout + time.Duration(documents/documentsPerSecond)*time.Second
	bounded, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	defer s.tellWaiting(ctx, u)()
	started := time.Now()
	_, err = s.collection(u.kind).Indexes().CreateOne(bounded, mongo.IndexModel{
		Keys:    bson.D{{Key: u.field, Value: 1}},
		Options: options.Index().SetUnique(true).SetName(u.index).SetCollation(s.bytewise()),
	}, s.quorum())
	switch kind := classify(err); {
	case err == nil || u.exists && (kind == indexConflict || kind == permission): // somebody else's, with further options
		return nil
	case ctx.Err() == nil && kind == transient && (isMaxTime(err) || time.Since(started) > timeout*9/10):
		return &IndexTimeError{Collection: collectionName(u.kind), Index: u.index, Field: u.field, After: timeout, Down: s.membersDown(ctx), Set: s.inSet || s.router}
	case s.router && hasCode(err, codeCannotCreateIndex):
		return fmt.Errorf("%w: %w", s.badShardKey(u.kind, nil, u.field), s.scrub(err))
	case kind == indexConflict: // with one that was made a moment ago
		list, listErr := s.indexes(ctx, u.kind)
		unique, inTheWay := list.unique(u.field)
		switch {
		case listErr == nil && unique != "":
			return nil
		case inTheWay != "":
			return fmt.Errorf("%w: %w", &IndexError{Collection: collectionName(u.kind), Index: inTheWay, Field: u.field}, s.scrub(err))
		}
	}
	return s.wrap("make the unique index on "+u.String(), err)
}

func isAny(err error, targets ...error) bool {
	return slices.ContainsFunc(targets, func(target error) bool { return errors.Is(err, target) })
}

func isMaxTime(err error) bool { return hasCode(err, codeMaxTimeExpired) }

func hasCode(err error, code int32) bool {
	var cmd mongo.CommandError
	return errors.As(err, &cmd) && cmd.Code == code
}

// quorum makes a replica set ready with an index once most of its members have it. Otherwise it waits for all that vote,
// and so for ever while one of them is down. A standalone refuses to be told.
func (s *Store) quorum() *options.CreateIndexesOptionsBuilder {
	o := options.CreateIndexes()
	if s.inSet || s.router {
		o.SetCommitQuorumMajority()
	}
	return o
}

// tellWaiting tells what is waited for, once it takes long and then again and again, until stop is called.
func (s *Sink) tellWaiting(ctx context.Context, u uniqueField) (stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for wait := s.opts.NotifyAfter; ; wait *= 2 {
			select {
			case <-ctx.Done():
				return
			case <-time.After(wait):
			}
			down := s.membersDown(ctx)
			if ctx.Err() == nil {
				s.opts.Notify("waiting for the index on " + u.String() + downText(down))
			}
		}
	}()
	return func() {
		cancel()
		<-done
	}
}
