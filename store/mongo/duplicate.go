package mongo

import (
	"context"
	"fmt"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/lanyardctl/lanyardctl/record"
)

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
func (s *Sink) mergeDuplicate(ctx context.Context, u uniqueField, v bson.RawValue, keep record.KeepFunc) error {
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
func (s *Sink) mergePair(ctx context.Context, u uniqueField, p pair, keep record.KeepFunc) (bool, error) {
	r, err := s.fromDocument(u.kind, p.ours)
	if err != nil {
		return false, err
	}
	if u.secret() {
		err = keep([]record.Superseded{{
			Kind: u.kind, User: r.User, Field: u.field, HasField: true, Value: record.Raw(r.APIKey),
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
func (s *Sink) mergeInto(ctx context.Context, r record.Record, doc bson.Raw, keep record.KeepFunc) (bool, error) {
	w := writing{
		Sink: s, kind: r.Kind, batch: []record.Record{r}, outcomes: make([]record.Outcome, 1),
		keep: keep, policy: record.PreferTarget, met: make(map[int]string),
	}
	c := w.newChange(0, &found{own: doc})
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
		if again, err = w.updateSome(ctx, []change{c}); err != nil {
			return false, err
		}
	}
	if tooLarge || w.outcomes[0].Column == record.Rejected {
		return false, fmt.Errorf("merge the two documents of user %s in %s: the server cannot hold them as one; remove one of them, and run the same command again",
			r.User, collectionName(r.Kind))
	}
	return len(again) == 0, nil
}

// fromDocument returns what a document that lanyardctl inserted holds as a record.
func (s *Sink) fromDocument(kind record.Kind, doc bson.Raw) (record.Record, error) {
	stands := standing(kind, doc)
	r := record.Record{Kind: kind, User: stands.User}
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
