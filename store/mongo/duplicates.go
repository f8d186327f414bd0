package mongo

import (
	"context"
	"fmt"
	"strings"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/lanyardctl/lanyardctl/record"
)

// DuplicatesError tells that users, or API keys, stand in two documents of a collection, so that nobody can say which
// one the app reads.
type DuplicatesError struct {
	Database, Collection, Field string
	Values                      []string // the first few; API keys as fingerprints
	More                        bool
}

func (e *DuplicatesError) Error() string {
	list := strings.Join(e.Values, ", ")
	if e.More {
		list += ", …"
	}
	return fmt.Sprintf("collection %s.%s has more than one document with the same %s: %s", e.Database, e.Collection, e.Field, list)
}

// maxNamed is how many users an error or a warning names.
const maxNamed = 10

// checkDuplicates fails where a value stands in two documents that [Sink.mergeDuplicate] could not make one of.
func (s *Sink) checkDuplicates(ctx context.Context, u uniqueField) error {
	values, err := s.duplicates(ctx, u, mergedAtOnce)
	if err != nil {
		return err
	}
	var bad []bson.RawValue
	for _, v := range values {
		p, err := s.findPair(ctx, u, v)
		if err != nil {
			return err
		}
		if p.hopeless() {
			bad = append(bad, v)
		}
	}
	if len(bad) > 0 {
		return s.duplicatesError(u, bad)
	}
	return nil
}

// mergedAtOnce bounds the duplicates that are held in memory.
const mergedAtOnce = 1000

// duplicates returns up to limit values of the field that stand in more than one document.
func (s *Store) duplicates(ctx context.Context, u uniqueField, limit int) ([]bson.RawValue, error) {
	operation := fmt.Sprintf("look for a %s in two documents of %s", u.field, collectionName(u.kind))
	pipeline := bson.A{
		bson.D{{Key: "$group", Value: bson.D{{Key: "_id", Value: "$" + u.field}, {Key: "n", Value: bson.D{{Key: "$sum", Value: 1}}}}}},
		bson.D{{Key: "$match", Value: bson.D{{Key: "n", Value: bson.D{{Key: "$gt", Value: 1}}}}}},
		bson.D{{Key: "$limit", Value: limit}},
	}
	cursor, err := s.collection(u.kind).Aggregate(ctx, pipeline, options.Aggregate().SetAllowDiskUse(true).SetCollation(s.bytewise()))
	if err != nil {
		return nil, s.wrap(operation, err)
	}
	var groups []bson.Raw
	if err := cursor.All(ctx, &groups); err != nil {
		return nil, s.wrap(operation, err)
	}
	var values []bson.RawValue
	for _, group := range groups {
		v := lookup(group, "_id")
		if text, _ := v.StringValueOK(); !u.kind.Identified() && text != globalType {
			continue // a document of somebody else's
		}
		values = append(values, v)
	}
	return values, nil
}

func (s *Store) duplicatesError(u uniqueField, values []bson.RawValue) error {
	e := &DuplicatesError{Database: s.db.Name(), Collection: collectionName(u.kind), Field: u.field, More: len(values) > maxNamed}
	for _, v := range values[:min(maxNamed, len(values))] {
		text, ok := v.StringValueOK()
		switch {
		case !ok:
			text = string(record.JSON(number(v)))
		case u.secret():
			text = record.Fingerprint(text)
		}
		e.Values = append(e.Values, text)
	}
	return e
}

// pair is two documents with the same value in a field that should be unique: one that lanyardctl inserted, and one that
// somebody else inserted since.
type pair struct {
	ours, theirs bson.Raw
	count        int
}

// pairReply is how many documents fit into a reply of any server, however large they are.
const pairReply = 2

// hopeless reports whether nobody can say which of the documents counts.
func (p pair) hopeless() bool { return p.count > 2 || p.count == 2 && p.ours == nil }

func (s *Store) findPair(ctx context.Context, u uniqueField, v bson.RawValue) (pair, error) {
	var p pair
	cursor, err := s.find(ctx, collectionName(u.kind), bson.D{{Key: u.field, Value: v}}, options.Find().SetBatchSize(pairReply))
	if err != nil {
		return p, s.wrap("read the duplicates in "+collectionName(u.kind), err)
	}
	var documents []bson.Raw
	if err := cursor.All(ctx, &documents); err != nil {
		return p, s.wrap("read the duplicates in "+collectionName(u.kind), err)
	}
	p.count = len(documents)
	for _, doc := range documents {
		if p.ours == nil && insertedByUs(u.kind, doc) {
			p.ours = doc
		} else {
			p.theirs = doc
		}
	}
	return p, nil
}

// mergeDuplicate makes one document of a pair: ours is merged into theirs, and deleted. What loses is kept. It fails with
// a [*DuplicatesError] where the documents are no such pair.
func (s *Sink) mergeDuplicate(ctx context.Context, u uniqueField, v bson.RawValue, keep record.ArchiveFunc) error {
	for range rounds {
		p, err := s.findPair(ctx, u, v)
		switch {
		case err != nil:
			return err
		case p.hopeless():
			return s.duplicatesError(u, []bson.RawValue{v})
		case p.count < 2:
			return nil // it went meanwhile
		}
		done, err := s.mergePair(ctx, u, p, keep)
		if done || err != nil {
			return err
		}
	}
	return s.wrap("merge duplicates in "+collectionName(u.kind), record.ErrUnavailable)
}

// mergePair reports whether the pair is one document now. It is not where somebody changed one of the two meanwhile.
func (s *Sink) mergePair(ctx context.Context, u uniqueField, p pair, keep record.ArchiveFunc) (bool, error) {
	r, err := s.fromDocument(u.kind, p.ours)
	if err != nil {
		return false, err
	}
	if u.secret() {
		err = keep([]record.Superseded{{
			Kind: u.kind, User: r.User, Field: u.field, HasField: true,
			Value:  record.Bytes{Data: r.APIKey, Present: true, Form: record.TextForm},
			Detail: "the same API key came to another user in the target meanwhile",
		}})
	} else {
		var merged bool
		if merged, err = s.mergeInto(ctx, r, p.theirs, keep); err == nil && !merged {
			return false, nil
		}
	}
	if err != nil {
		return false, err
	}
	// Only as it was read: the app may have updated ours, as it takes any document of the user.
	filter := s.identity(collectionName(u.kind), p.ours)
	content := schemaOf(u.kind).about().content
	if content == nil {
		content = r.FieldNames()
	}
	for _, name := range content {
		filter = append(filter, stillIs(p.ours, name))
	}
	deleted, err := s.deleteOne(ctx, collectionName(u.kind), filter)
	if err != nil {
		return false, s.wrap("remove a duplicate from "+collectionName(u.kind), err)
	}
	return deleted, nil
}

// mergeInto merges r into a document, and reports whether it still was what was read. Conflicts go to the document,
// since the app has used it already.
func (s *Sink) mergeInto(ctx context.Context, r record.Record, doc bson.Raw, keep record.ArchiveFunc) (bool, error) {
	w := writing{
		Sink: s, kind: r.Kind, batch: []record.Record{r}, outcomes: make([]record.Outcome, 1),
		keep: keep, policy: record.PreferTarget, now: s.opts.Now(),
	}
	c := w.decideOne(0, &found{own: doc})
	if len(c.decision.Superseded) > 0 {
		if err := keep(c.decision.Superseded); err != nil {
			return false, err
		}
	}
	if !c.decision.Write {
		return true, nil
	}
	tooLarge := w.limits.CheckSize(r, w.sizeAfter(c)) != nil
	var again []int
	if !tooLarge {
		var err error
		if again, err = w.updateSome(ctx, []decided{c}); err != nil {
			return false, err
		}
	}
	if tooLarge || w.outcomes[0].Status == record.Rejected {
		return false, fmt.Errorf("merge the two documents of user %s in %s: the server cannot hold them as one; remove one of them, and run the same command again",
			r.User, collectionName(r.Kind))
	}
	return len(again) == 0, nil
}

// fromDocument returns what a document that lanyardctl inserted holds as a record.
func (s *Sink) fromDocument(kind record.Kind, doc bson.Raw) (record.Record, error) {
	stands := documentOf(kind, doc)
	r := record.Record{Kind: kind, User: stands.User, Name: stands.Name}
	err := schemaOf(kind).restore(&r, stands.Held, s.opts.Now())
	return r, err
}

// restoreField adds a field to a record that is made of a document.
func restoreField(r *record.Record, name string, v record.Value) {
	if r.Fields == nil {
		r.Fields = make(map[string]record.Field)
	}
	r.Fields[name] = record.Field{Value: v, Origin: record.Origin{Raw: string(record.JSON(v))}}
}
