package mongo

import (
	"context"
	"fmt"

	"go.mongodb.org/mongo-driver/v2/x/bsonx/bsoncore"

	"github.com/lanyardctl/lanyardctl/record"
)

func pairsEntry(d record.Document) record.Entry {
	e := record.Entry{Fields: d.Held.Fields}
	if d.Held.Malformed != nil {
		addFault(&e, "what stands in place of the pairs is no document")
	}
	if d.Repeated {
		addFault(&e, "the document holds two fields of one name")
	}
	return e
}

// UpdatePairs implements [record.Persistence].
func (p *Persistence) UpdatePairs(
	ctx context.Context, _ record.App, user record.UserID, decide func(record.Entry) (record.PairChange, error),
) (changed []string, err error) {
	otherID := false
	err = p.untilMade(ctx, fmt.Sprintf("change the pairs of user %s", user), func() (bool, error) {
		changed = nil
		documents, err := p.Documents().OfUsers(ctx, record.KV, []record.UserID{user}, maxHeld)
		if err != nil {
			return false, err
		}
		held := record.Entry{Place: record.KVCollection.String(), Apps: forkAlone}
		if len(documents) > 0 {
			held = entriesOf(documents, pairsEntry)[0]
		}
		c, err := decide(held)
		switch {
		case err != nil:
			return false, err
		case held.Fault != "":
			return false, fmt.Errorf("change the pairs of user %s in kv: %s", user, held.Fault)
		}
		step, changes, err := p.pairsStep(user, otherID, documents, c)
		if err != nil || !changes {
			return err == nil, err
		}
		changed = []string{held.Place}
		made, err := p.apply(ctx, user.String(), step)
		otherID = !made && step.Before == nil // should the user have no document still, another's has the _id
		return made, err
	})
	if err != nil {
		changed = nil
	}
	return changed, err
}

// pairsStep returns the step that makes the change, and reports false where there is nothing to do.
func (p *Persistence) pairsStep(
	user record.UserID, otherID bool, documents []record.Document, c record.PairChange,
) (step record.Step, changes bool, err error) {
	var held record.Held
	if len(documents) > 0 {
		held = documents[0].Held
	}
	d := record.Decision{Set: make(map[string]record.Value)}
	after := record.Record{Kind: record.KV, User: user, Fields: make(map[string]record.Field)}
	for name, v := range held.Fields {
		after.Fields[name] = record.Field{Value: v}
	}
	for _, name := range c.Unset {
		_, stays := c.Set[name]
		if _, exists := held.Fields[name]; exists && !stays {
			d.Unset = append(d.Unset, name)
			delete(after.Fields, name)
		}
	}
	for name, v := range c.Set {
		if theirs, exists := held.Fields[name]; !exists || !record.Equal(v, theirs) {
			d.Set[name] = v
			after.Fields[name] = record.Field{Value: v}
		}
	}
	if len(d.Set)+len(d.Unset) == 0 {
		return step, false, nil
	}
	if err := p.checkHeld(record.KV, user, d.Set); err != nil {
		return step, false, err
	}
	mark := ""
	if !held.Found || held.Unmodified {
		mark = after.Digest().String()
	}
	f, before := fieldsOf(user, otherID, documents)
	f.set("kv", bsoncore.AppendDocumentElement(nil, "kv", mergedPairs(before, d, nil)))
	f.setMark(mark)
	return f.step(record.KVCollection, before), true, nil
}
