package mongo

import (
	"context"
	"fmt"
	"math"
	"slices"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/x/bsonx/bsoncore"

	"github.com/lanyardctl/lanyardctl/record"
)

// keyDocuments returns the documents of the user's API keys, whole: those whose user_id is text, and then those in
// which it is a number, which authenticate as well.
func (p *Persistence) keyDocuments(ctx context.Context, user record.UserID) ([]record.Document, error) {
	const c = record.APIKeysCollection
	ids := bson.A{user.String()}
	if user <= math.MaxInt64 {
		ids = append(ids, int64(user))
	}
	w := newWhole(c, maxHeld)
	for doc, err := range p.stream(ctx, c.String(), query{filter: bson.D{{Key: "user_id", Value: bson.D{{Key: "$in", Value: ids}}}}}) {
		if err == nil {
			err = w.add(doc)
		}
		if err != nil {
			return nil, p.Documents().wholeError(c, err)
		}
	}
	documents := slices.DeleteFunc(w.documents, func(d record.Document) bool { return d.User != user })
	slices.SortStableFunc(documents, func(a, b record.Document) int { return order(a.Numeric) - order(b.Numeric) })
	return documents, nil
}

func order(last bool) int {
	if last {
		return 1
	}
	return 0
}

// keyEntries returns the entries of documents of one user, without those of numeric user ids unless they are asked for.
func keyEntries(documents []record.Document, numeric bool) []record.Entry {
	var entries []record.Entry
	for _, d := range documents {
		if d.Numeric && !numeric {
			continue
		}
		e := record.Entry{Place: d.Collection.String(), Apps: forkAlone, APIKey: d.Held.APIKey, Authenticates: d.Held.APIKey != ""}
		if d.Held.Malformed != nil {
			addFault(&e, "what stands in place of the key is no text")
		}
		if d.Repeated {
			addFault(&e, "the document holds two fields of one name")
		}
		if d.Numeric {
			addFault(&e, "the user_id is a number")
		}
		if len(documents) > 1 {
			addFault(&e, "one of %d documents of this user, each of which authenticates by its key", len(documents))
		}
		entries = append(entries, e)
	}
	return entries
}

// FindAPIKeys implements [record.Persistence].
func (p *Persistence) FindAPIKeys(ctx context.Context, user record.UserID) ([]record.Entry, error) {
	documents, err := p.keyDocuments(ctx, user)
	return keyEntries(documents, true), err
}

// KeyOwners implements [record.Persistence].
func (p *Persistence) KeyOwners(ctx context.Context, key string) ([]record.KeyOwner, error) {
	const c = record.APIKeysCollection
	var owners []record.KeyOwner
	filter, projection := bson.D{{Key: "key", Value: key}}, bson.D{{Key: "_id", Value: 1}, {Key: "user_id", Value: 1}}
	for doc, err := range p.stream(ctx, c.String(), query{filter: filter, projection: projection}) {
		if err != nil {
			return nil, p.wrap("look up an API key in "+c.String(), err)
		}
		d := document(c, doc)
		o := record.KeyOwner{Place: c.String(), Apps: forkAlone, User: d.User}
		switch {
		case d.User == 0:
			o.Fault = "the user_id is none"
		case d.Numeric:
			o.Fault = "the user_id is a number"
		}
		owners = append(owners, o)
	}
	return owners, nil
}

// RevokeAPIKeys implements [record.Persistence]. Every document of the user goes, whatever its key. No trace is needed:
// a user is given a key here in any case.
func (p *Persistence) RevokeAPIKeys(ctx context.Context, user record.UserID, _ []string, _ bool) error {
	return p.untilMade(ctx, fmt.Sprintf("revoke the API keys of user %s", user), func() (bool, error) {
		documents, err := p.keyDocuments(ctx, user)
		if err != nil {
			return false, err
		}
		return p.remove(ctx, user, documents)
	})
}

// remove deletes documents of the user, and reports false where some are left.
func (p *Persistence) remove(ctx context.Context, user record.UserID, documents []record.Document) (done bool, err error) {
	some := documents[:min(len(documents), record.MaxSteps)]
	steps := make([]record.Step, len(some))
	for i, d := range some {
		steps[i] = record.Step{Collection: d.Collection, ID: d.ID, Before: d.Raw}
	}
	made, err := p.apply(ctx, user.String(), steps...)
	return made && len(some) == len(documents), err
}

// GiveAPIKey implements [record.Persistence]. One statement replaces the key in the user's document, so that the old
// one dies the moment that the new one lives; further documents go before.
func (p *Persistence) GiveAPIKey(ctx context.Context, _ record.App, user record.UserID, key string) (given bool, err error) {
	otherID := false
	what := fmt.Sprintf("give an API key to user %s", user)
	err = p.untilMade(ctx, what, func() (bool, error) {
		owners, err := p.KeyOwners(ctx, key)
		if err != nil {
			return false, err
		}
		if slices.ContainsFunc(owners, func(o record.KeyOwner) bool { return o.User != user }) {
			return false, fmt.Errorf("%s: it is that of another user", what)
		}
		documents, err := p.keyDocuments(ctx, user)
		if err != nil {
			return false, err
		}
		if len(documents) > 1 {
			if done, err := p.remove(ctx, user, documents[1:]); err != nil || !done {
				return false, err
			}
		}
		step := p.keyStep(user, otherID, documents, key)
		if slices.Equal(step.Before, step.After) {
			return true, nil
		}
		made, err := p.apply(ctx, user.String(), step)
		otherID = !made && step.Before == nil // as in UpdatePairs
		return made, err
	})
	return err == nil, err
}

// keyStep returns the step that makes the key that of the user's first document.
func (p *Persistence) keyStep(user record.UserID, otherID bool, documents []record.Document, key string) record.Step {
	f, before := fieldsOf(user, otherID, documents)
	if stands, ok := f.value("key").StringValueOK(); !ok || stands != key {
		f.setText("key", key)
		f.set("created_at", bsoncore.AppendDateTimeElement(nil, "created_at", p.now().UnixMilli()))
	}
	f.setMark(record.Record{Kind: record.APIKeys, User: user, APIKey: key}.Digest().String())
	return f.step(record.APIKeysCollection, before)
}
